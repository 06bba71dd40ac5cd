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
 * Reads grade items.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

/**
 * What is graded, with ranges and pass marks.
 */
class get_grade_items extends reader {
    protected const FROM = '{grade_items} gi
        LEFT JOIN {course} c ON c.id = gi.courseid
        LEFT JOIN {modules} m ON m.name = gi.itemmodule
        LEFT JOIN {course_modules} cm ON cm.module = m.id AND cm.instance = gi.iteminstance AND cm.course = gi.courseid';
    protected const KEY = 'gi.id';
    protected const ONLY = 'COALESCE(c.id, 0) > 0';
    protected const COURSE = 'gi.courseid';
    protected const FIELDS = [
        'id' => ['int', 'gi.id'],
        'courseid' => ['int', 'gi.courseid'],
        'courseidnumber' => ['text', 'c.idnumber'],
        'itemtype' => ['text', 'gi.itemtype'],
        'itemmodule' => ['text', 'gi.itemmodule'],
        'iteminstance' => ['reference', 'gi.iteminstance'],
        'itemnumber' => ['maybeint', 'gi.itemnumber'],
        'idnumber' => ['text', 'gi.idnumber'],
        'cmid' => ['reference', 'cm.id'],
        'itemname' => ['text', 'gi.itemname'],
        'gradetype' => ['int', 'gi.gradetype'],
        'grademin' => ['decimal', 'gi.grademin'],
        'grademax' => ['decimal', 'gi.grademax'],
        'gradepass' => ['decimal', 'gi.gradepass'],
        'timemodified' => ['time', 'gi.timemodified'],
    ];
}
