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
 * Deletes old changes.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\task;

/**
 * Deletes changes that are older than the setting says. The newest one stays, so that the ids of the log are never
 * lower than they were.
 */
class cleanup extends \core\task\scheduled_task {
    /**
     * Name of the task.
     *
     * @return string
     */
    public function get_name() {
        return get_string('cleanup', 'local_certbridge');
    }

    /**
     * Delete.
     */
    public function execute() {
        global $DB;
        $days = max(1, (int) (get_config('local_certbridge', 'keepdays') ?: 60));
        $last = (int) $DB->get_field_sql('SELECT MAX(id) FROM {local_certbridge_log}');
        $DB->delete_records_select('local_certbridge_log', 'timecreated < ? AND id < ?', [time() - $days * DAYSECS, $last]);
    }
}
