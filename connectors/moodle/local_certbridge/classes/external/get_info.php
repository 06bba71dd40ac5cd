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
 * Says which site and plugin this is, and how far its change log reaches.
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

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../../compat.php');

/**
 * Version, clock, epoch and log of the plugin.
 */
class get_info extends external_api {
    /** @var array stream => table; tables small enough to be counted at each call. */
    private const COUNTED = [
        'users' => 'user', 'categories' => 'course_categories', 'courses' => 'course', 'cohorts' => 'cohort',
        'competencies' => 'competency', 'feedbacks' => 'feedback',
    ];

    /** @var string[] what CertBridge need not try out: courseids can be named to the functions of courses. */
    private const FEATURES = ['courseids'];

    /**
     * No arguments.
     *
     * @return external_function_parameters
     */
    public static function execute_parameters() {
        return new external_function_parameters([]);
    }

    /**
     * Answer.
     *
     * @return array
     */
    public static function execute() {
        global $CFG, $DB;
        reader::allow();
        $log = $DB->get_record_sql('SELECT MIN(id) AS firstid, MAX(id) AS lastid FROM {local_certbridge_log}');
        $counts = array_map(fn($table) => $DB->count_records($table), self::COUNTED);
        $counts['users'] -= 1; // The guest.
        $counts['courses'] -= 1; // The front page.
        return [
            'version' => (int) get_config('local_certbridge', 'version'),
            'release' => \core_plugin_manager::instance()->get_plugin_info('local_certbridge')->release,
            'moodle' => $CFG->release,
            'time' => time(),
            'epoch' => \local_certbridge\changes::epoch(),
            'firstchange' => (int) $log->firstid,
            'lastchange' => (int) $log->lastid,
            'counts' => $counts,
            'features' => self::FEATURES,
            'tokenuntil' => self::token_until(),
        ];
    }

    /**
     * When the token that asks ends, or its user's leave to use the service.
     *
     * @return int the earlier of both, 0 if neither ends
     */
    private static function token_until(): int {
        global $DB;
        $sql = 'SELECT t.validuntil, su.validuntil AS useruntil
                  FROM {external_tokens} t
             LEFT JOIN {external_services_users} su
                    ON su.externalserviceid = t.externalserviceid AND su.userid = t.userid
                 WHERE t.token = ?';
        $found = $DB->get_record_sql($sql, [optional_param('wstoken', '', PARAM_ALPHANUM)], IGNORE_MULTIPLE);
        $ends = $found ? array_filter([(int) $found->validuntil, (int) $found->useruntil]) : [];
        return $ends ? min($ends) : 0;
    }

    /**
     * Shape of the answer.
     *
     * @return external_single_structure
     */
    public static function execute_returns() {
        $count = new external_value(PARAM_INT, 'rows that the function of this stream gives');
        return new external_single_structure([
            'version' => new external_value(PARAM_INT, 'version of the plugin'),
            'release' => new external_value(PARAM_RAW, 'release of the plugin'),
            'moodle' => new external_value(PARAM_RAW, 'release of Moodle'),
            'time' => new external_value(PARAM_INT, 'the time on this server'),
            'epoch' => new external_value(PARAM_RAW, 'random text made with the change log; another one means another log'),
            'firstchange' => new external_value(PARAM_INT, 'lowest id in the change log, 0 while it is empty'),
            'lastchange' => new external_value(PARAM_INT, 'highest id in the change log, 0 while it is empty'),
            'counts' => new external_single_structure(array_fill_keys(array_keys(self::COUNTED), $count)),
            'tokenuntil' => new external_value(PARAM_INT, 'when the token that asks ends, 0 if it does not'),
            'features' => new external_multiple_structure(new external_value(PARAM_RAW, 'what later versions can do beside')),
        ]);
    }
}
