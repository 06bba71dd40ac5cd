<?php
// This file is part of Moodle - http://moodle.org/
//
// Moodle is free software: you can redistribute it and/or modify
// it under the terms of the GNU General Public License as published by
// the Free Software Foundation, either version 3 of the License, or
// (at your option) any later version.
//
// Moodle is distributed in the hope that it will be useful,
// but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
// GNU General Public License for more details.
//
// You should have received a copy of the GNU General Public License
// along with Moodle.  If not, see <http://www.gnu.org/licenses/>.

/**
 * Reads grades.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;


/**
 * Grades that have a value, given or computed; a grade whose value was taken away is no longer a row.
 */
class get_grades extends reader {
    protected const FROM = '{grade_grades} gg LEFT JOIN {grade_items} gi ON gi.id = gg.itemid';
    protected const KEY = 'gg.id';
    protected const ONLY = '(gg.finalgrade IS NOT NULL OR gg.rawgrade IS NOT NULL) AND COALESCE(gi.id, 0) > 0';
    protected const COURSE = 'gi.courseid';
    protected const USER = 'gg.userid';
    protected const FIELDS = [
        'id' => ['int', 'gg.id'],
        'itemid' => ['int', 'gg.itemid'],
        'courseid' => ['int', 'gi.courseid'],
        'userid' => ['int', 'gg.userid'],
        'itemtype' => ['text', 'gi.itemtype'],
        'grademin' => ['decimal', 'gi.grademin'],
        'grademax' => ['decimal', 'gi.grademax'],
        'rawgrade' => ['decimal', 'gg.rawgrade'],
        'finalgrade' => ['decimal', 'gg.finalgrade'],
        'rawgrademin' => ['decimal', 'gg.rawgrademin'],
        'rawgrademax' => ['decimal', 'gg.rawgrademax'],
        'timecreated' => ['time', 'gg.timecreated'],
        'timemodified' => ['time', 'gg.timemodified'],
        'overridden' => ['time', 'gg.overridden'],
        'excluded' => ['time', 'gg.excluded'],
        'hidden' => ['int', 'gg.hidden'],
    ];
}
