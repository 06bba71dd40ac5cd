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
 * Reads courses.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

/**
 * Courses, hidden ones too, without the front page.
 */
class get_courses extends reader {
    protected const FROM = '{course} c';
    protected const KEY = 'c.id';
    protected const ONLY = 'c.id <> ?';
    protected const COURSE = 'c.id';
    protected const FIELDS = [
        'id' => ['int', 'c.id'],
        'shortname' => ['text', 'c.shortname'],
        'fullname' => ['text', 'c.fullname'],
        'idnumber' => ['text', 'c.idnumber'],
        'category' => ['int', 'c.category'],
        'visible' => ['flag', 'c.visible'],
        'enablecompletion' => ['flag', 'c.enablecompletion'],
        'startdate' => ['time', 'c.startdate'],
        'enddate' => ['time', 'c.enddate'],
        'timecreated' => ['time', 'c.timecreated'],
        'timemodified' => ['time', 'c.timemodified'],
    ];

    protected static function only_params(): array {
        return [SITEID];
    }
}
