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
 * Reads the change log, with the present rows of what has changed.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;


use core_external\external_api;
use core_external\external_function_parameters;
use core_external\external_multiple_structure;
use core_external\external_single_structure;
use core_external\external_value;
use local_certbridge\changes;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../../compat.php');

/**
 * The change log after a given id.
 */
class get_changes extends external_api {
    /**
     * Arguments of the function.
     *
     * @return external_function_parameters
     */
    public static function execute_parameters() {
        return new external_function_parameters([
            'after' => new external_value(PARAM_INT, 'only changes with a greater id'),
            'limit' => new external_value(PARAM_INT, 'changes in the answer, at most ' . reader::MAXROWS, VALUE_DEFAULT, 5000),
            'streams' => new external_multiple_structure(
                new external_value(PARAM_ALPHANUMEXT, 'stream'),
                'only these streams, all if empty',
                VALUE_DEFAULT,
                []
            ),
            'since' => new external_value(
                PARAM_INT,
                'also enrolments that began or ended after this time by themselves; 0: none',
                VALUE_DEFAULT,
                0
            ),
        ]);
    }

    /**
     * Answer one page of the log.
     *
     * @param int $after only changes with a greater id
     * @param int $limit how many
     * @param string[] $streams only these, all if empty
     * @param int $since also enrolments that began or ended by themselves after this time
     * @return array
     */
    public static function execute($after, $limit = 5000, $streams = [], $since = 0) {
        global $DB;
        $given = self::validate_parameters(self::execute_parameters(), [
            'after' => $after, 'limit' => $limit, 'streams' => $streams, 'since' => $since,
        ]);
        reader::allow($given['limit']);
        if ($unknown = array_diff($given['streams'], changes::STREAMS)) {
            throw new \invalid_parameter_exception('streams: this site has no ' . implode(', ', $unknown));
        }
        $streams = $given['streams'] ?: changes::STREAMS;
        $time = time();
        $ends = $DB->get_record_sql('SELECT MIN(id) AS firstid, MAX(id) AS lastid FROM {local_certbridge_log}');
        [$in, $params] = $DB->get_in_or_equal($streams);
        $found = $DB->get_records_select(
            'local_certbridge_log',
            "id > ? AND stream $in",
            [$given['after'], ...$params],
            'id',
            '*',
            0,
            $given['limit'] + 1
        );
        $more = count($found) > $given['limit'];
        $found = array_slice($found, 0, $given['limit']);
        $next = $found ? end($found)->id : $given['after'];
        if ($given['since'] > 0 && in_array('enrolments', $streams)) {
            array_push($found, ...get_enrolments::begun_or_ended($given['since'], $time, reader::MAXROWS));
        }
        return [
            'time' => $time,
            'epoch' => changes::epoch(),
            'first' => (int) $ends->firstid,
            'last' => (int) $ends->lastid,
            'next' => $next,
            'more' => $more,
            'changes' => $found,
        ] + self::present_rows($found);
    }

    /**
     * The present rows of what has changed, of each stream.
     *
     * @param array $found rows of the log
     * @return array stream => rows
     */
    private static function present_rows(array $found): array {
        $ofstream = [];
        foreach ($found as $change) {
            // What must be read as a whole is read page by page; of a parent that is gone nothing is left to read.
            if ($change->action != 'whole' && ($change->userid || $change->objectid)) {
                $ofstream[$change->stream][] = $change;
            }
        }
        foreach ($ofstream as $stream => $some) {
            $rows[$stream] = self::reader($stream)::of_changes($some);
        }
        return $rows ?? [];
    }

    /**
     * The class that reads a stream.
     *
     * @param string $stream name of the stream
     * @return string name of the class
     */
    private static function reader(string $stream): string {
        return __NAMESPACE__ . '\\get_' . $stream;
    }

    /**
     * Shape of the answer.
     *
     * @return external_single_structure
     */
    public static function execute_returns() {
        $shape = [
            'time' => new external_value(PARAM_INT, 'the time on this server'),
            'epoch' => new external_value(PARAM_RAW, 'random text made with the change log; another one means another log'),
            'first' => new external_value(PARAM_INT, 'lowest id that is still kept, 0 while the log is empty'),
            'last' => new external_value(PARAM_INT, 'highest id in the log, 0 while it is empty'),
            'next' => new external_value(PARAM_INT, 'ask for what comes after this id'),
            'more' => new external_value(PARAM_BOOL, 'whether more is waiting'),
            'changes' => new external_multiple_structure(new external_single_structure([
                'id' => new external_value(PARAM_INT, 'id in the log; 0 for an enrolment that began or ended by itself'),
                'stream' => new external_value(PARAM_RAW, 'stream'),
                'action' => new external_value(PARAM_RAW, 'changed, deleted, or whole: read all of it again'),
                'objectid' => new external_value(PARAM_INT, 'id of the row, or of the parent; 0 if not known'),
                'courseid' => new external_value(PARAM_INT, 'course, 0 if none'),
                'userid' => new external_value(PARAM_INT, 'user, 0 if none'),
                'timecreated' => new external_value(PARAM_INT, 'when it was written'),
            ])),
        ];
        foreach (changes::STREAMS as $stream) {
            $shape[$stream] = new external_multiple_structure(self::reader($stream)::row(), 'present rows', VALUE_OPTIONAL);
        }
        return new external_single_structure($shape);
    }
}
