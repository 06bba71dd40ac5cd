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
 * Reads enrolments.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;


/**
 * Every enrolment by every method, suspended and expired ones too.
 */
class get_enrolments extends reader {
    protected const FROM = '{user_enrolments} ue
        LEFT JOIN {enrol} e ON e.id = ue.enrolid
        LEFT JOIN {user_lastaccess} la ON la.userid = ue.userid AND la.courseid = e.courseid
        LEFT JOIN {course_completions} cc ON cc.userid = ue.userid AND cc.course = e.courseid';
    protected const KEY = 'ue.id';
    protected const ONLY = 'COALESCE(e.id, 0) > 0';
    protected const COURSE = 'e.courseid';
    protected const USER = 'ue.userid';
    protected const PARENT = 'e.courseid';
    protected const FIELDS = [
        'id' => ['int', 'ue.id'],
        'userid' => ['int', 'ue.userid'],
        'courseid' => ['int', 'e.courseid'],
        'enrol' => ['text', 'e.enrol'],
        'status' => ['int', 'ue.status'],
        'methodstatus' => ['int', 'e.status'],
        'timestart' => ['time', 'ue.timestart'],
        'timeend' => ['time', 'ue.timeend'],
        'timecreated' => ['time', 'ue.timecreated'],
        'timemodified' => ['time', 'ue.timemodified'],
        'lastaccess' => ['time', 'la.timeaccess'],
        'timestarted' => ['time', 'cc.timestarted'],
    ];

    /**
     * Enrolments that began or ended in a span of time, which no event tells, as if the log held them.
     *
     * @param int $since after this
     * @param int $until to this
     * @param int $limit how many at most; if there are more, all enrolments have to be read again
     * @return array like rows of the log, with the id 0
     */
    public static function begun_or_ended(int $since, int $until, int $limit): array {
        $spans = '(ue.timestart > ? AND ue.timestart <= ?) OR (ue.timeend > ? AND ue.timeend <= ?)';
        $rows = self::select("($spans)", [$since, $until, $since, $until], $limit + 1);
        if (count($rows) > $limit) {
            $whole = ['action' => 'whole', 'objectid' => 0, 'courseid' => 0, 'userid' => 0, 'timecreated' => $until];
            return [(object) (['id' => 0, 'stream' => 'enrolments'] + $whole)];
        }
        return array_values(array_map(fn($row) => (object) [
            'id' => 0, 'stream' => 'enrolments', 'action' => 'changed', 'objectid' => $row->id, 'courseid' => $row->courseid,
            'userid' => $row->userid,
            'timecreated' => $row->timeend > $since && $row->timeend <= $until ? $row->timeend : $row->timestart,
        ], $rows));
    }
}
