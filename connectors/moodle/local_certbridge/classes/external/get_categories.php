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
 * Reads course categories.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

/**
 * Course categories, hidden ones too.
 */
class get_categories extends reader {
    protected const FROM = '{course_categories} c';
    protected const KEY = 'c.id';
    protected const FIELDS = [
        'id' => ['int', 'c.id'],
        'name' => ['text', 'c.name'],
        'idnumber' => ['text', 'c.idnumber'],
        'parent' => ['reference', 'c.parent'],
        'path' => ['text', 'c.path'],
        'visible' => ['flag', 'c.visible'],
        'timemodified' => ['time', 'c.timemodified'],
    ];
}
