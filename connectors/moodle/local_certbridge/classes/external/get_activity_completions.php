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
 * Reads activity completions.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

/**
 * What people have completed within courses.
 */
class get_activity_completions extends reader {
    protected const FROM = '{course_modules_completion} cmc LEFT JOIN {course_modules} cm ON cm.id = cmc.coursemoduleid';
    protected const KEY = 'cmc.id';
    protected const ONLY = 'COALESCE(cm.id, 0) > 0';
    protected const COURSE = 'cm.course';
    protected const USER = 'cmc.userid';
    protected const FIELDS = [
        'id' => ['int', 'cmc.id'],
        'cmid' => ['int', 'cmc.coursemoduleid'],
        'courseid' => ['int', 'cm.course'],
        'userid' => ['int', 'cmc.userid'],
        'state' => ['int', 'cmc.completionstate'],
        'timemodified' => ['time', 'cmc.timemodified'],
        'overrideby' => ['reference', 'cmc.overrideby'],
    ];
}
