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
 * What this plugin keeps about people.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\privacy;

use core_privacy\local\metadata\collection;
use core_privacy\local\request\approved_contextlist;
use core_privacy\local\request\approved_userlist;
use core_privacy\local\request\contextlist;
use core_privacy\local\request\userlist;
use core_privacy\local\request\writer;

/**
 * The change log names people by id, in the system context, and CertBridge reads it.
 */
class provider implements
    \core_privacy\local\metadata\provider,
    \core_privacy\local\request\core_userlist_provider,
    \core_privacy\local\request\plugin\provider {
    /**
     * What is kept, and where it goes.
     *
     * @param collection $collection to add to
     * @return collection
     */
    public static function get_metadata(collection $collection): collection {
        $fields = ['stream', 'action', 'objectid', 'courseid', 'userid', 'timecreated'];
        $texts = array_combine($fields, array_map(fn($field) => "privacy:log:$field", $fields));
        $collection->add_database_table('local_certbridge_log', $texts, 'privacy:log');
        $fields = ['account', 'enrolments', 'results', 'answers'];
        $texts = array_combine($fields, array_map(fn($field) => "privacy:certbridge:$field", $fields));
        return $collection->add_external_location_link('certbridge', $texts, 'privacy:certbridge');
    }

    /**
     * Where a person occurs.
     *
     * @param int $userid the person
     * @return contextlist
     */
    public static function get_contexts_for_userid(int $userid): contextlist {
        $list = new contextlist();
        $list->add_from_sql(
            'SELECT c.id FROM {context} c
              WHERE c.contextlevel = :level AND EXISTS (SELECT 1 FROM {local_certbridge_log} l WHERE l.userid = :userid)',
            ['level' => CONTEXT_SYSTEM, 'userid' => $userid]
        );
        return $list;
    }

    /**
     * Who occurs in a context.
     *
     * @param userlist $userlist to add to
     */
    public static function get_users_in_context(userlist $userlist) {
        if ($userlist->get_context() instanceof \context_system) {
            $userlist->add_from_sql('userid', 'SELECT userid FROM {local_certbridge_log} WHERE userid > 0', []);
        }
    }

    /**
     * Hand a person's rows out.
     *
     * @param approved_contextlist $contextlist of one person
     */
    public static function export_user_data(approved_contextlist $contextlist) {
        global $DB;
        foreach ($contextlist->get_contexts() as $context) {
            if ($context instanceof \context_system) {
                $rows = $DB->get_records('local_certbridge_log', ['userid' => $contextlist->get_user()->id], 'id');
                writer::with_context($context)->export_data(
                    [get_string('pluginname', 'local_certbridge')],
                    (object) ['changes' => array_values($rows)]
                );
            }
        }
    }

    /**
     * Forget everybody.
     *
     * @param \context $context where
     */
    public static function delete_data_for_all_users_in_context(\context $context) {
        self::forget($context, 'userid > 0', []);
    }

    /**
     * Forget a person.
     *
     * @param approved_contextlist $contextlist of one person
     */
    public static function delete_data_for_user(approved_contextlist $contextlist) {
        foreach ($contextlist->get_contexts() as $context) {
            self::forget($context, 'userid = ?', [$contextlist->get_user()->id]);
        }
    }

    /**
     * Forget several persons.
     *
     * @param approved_userlist $userlist who
     */
    public static function delete_data_for_users(approved_userlist $userlist) {
        global $DB;
        if ($userids = $userlist->get_userids()) {
            [$in, $params] = $DB->get_in_or_equal($userids);
            self::forget($userlist->get_context(), "userid $in", $params);
        }
    }

    /**
     * Delete rows. What CertBridge has not read of them yet it finds when it next reads everything.
     *
     * @param \context $context where
     * @param string $where SQL
     * @param array $params its parameters
     */
    private static function forget(\context $context, string $where, array $params): void {
        global $DB;
        if ($context instanceof \context_system) {
            $DB->delete_records_select('local_certbridge_log', $where, $params);
        }
    }
}
