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
 * Reads badges issued.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

/**
 * Badges that people hold, with their expiry.
 */
class get_badges extends reader {
    protected const FROM = '{badge_issued} bi LEFT JOIN {badge} b ON b.id = bi.badgeid';
    protected const KEY = 'bi.id';
    protected const ONLY = 'COALESCE(b.id, 0) > 0';
    protected const COURSE = 'b.courseid';
    protected const USER = 'bi.userid';
    protected const PARENT = 'bi.badgeid';
    protected const FIELDS = [
        'id' => ['int', 'bi.id'],
        'badgeid' => ['int', 'bi.badgeid'],
        'badgename' => ['text', 'b.name'],
        'badgeversion' => ['text', 'b.version'],
        'courseid' => ['reference', 'b.courseid'],
        'userid' => ['int', 'bi.userid'],
        'dateissued' => ['time', 'bi.dateissued'],
        'dateexpire' => ['time', 'bi.dateexpire'],
        'visible' => ['flag', 'bi.visible'],
    ];
}
