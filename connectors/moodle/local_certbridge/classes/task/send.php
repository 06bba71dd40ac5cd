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
 * Sends the change log to CertBridge.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\task;

use local_certbridge\changes;

/**
 * Posts what is new in the change log, signed as Standard Webhooks ask, in batches.
 *
 * What is sent tells CertBridge to look sooner; what it relies on is the log itself. Hence changes that could not be
 * sent for a day are not sent any more.
 */
class send extends \core\task\adhoc_task {
    /** @var int changes in one message. */
    public const BATCH = 500;

    /** @var int seconds after which a change is left to be read. */
    private const TOO_OLD = 86400;

    /**
     * Queue the task, unless it is waiting already. One that is running may have looked at the log before.
     */
    public static function wake(): void {
        global $DB;
        if (!get_config('local_certbridge', 'enabled')) {
            return;
        }
        foreach ($DB->get_records('task_adhoc', ['classname' => '\\' . self::class, 'timestarted' => null]) as $waiting) {
            if (($waiting->attemptsavailable ?? 1) > 0) { // From Moodle 4.4 on, a task that failed often is kept but not run.
                return;
            }
        }
        $task = new self();
        $task->set_component('local_certbridge');
        \core\task\manager::queue_adhoc_task($task);
    }

    /**
     * Two at once would send the same.
     *
     * @return int
     */
    protected function get_default_concurrency_limit(): int {
        return 1;
    }

    /**
     * Send all that is new.
     */
    public function execute() {
        global $DB;
        $config = get_config('local_certbridge');
        if (empty($config->enabled)) {
            return;
        }
        $sent = (int) ($config->sent ?? 0);
        do {
            $batch = $DB->get_records_select(
                'local_certbridge_log',
                'id > ? AND timecreated > ?',
                [$sent, time() - self::TOO_OLD],
                'id',
                '*',
                0,
                self::BATCH
            );
            if ($batch) {
                $this->post($config->url ?? '', $config->secret ?? '', array_values($batch));
                $sent = end($batch)->id;
                set_config('sent', $sent, 'local_certbridge');
                mtrace(count($batch) . ' changes sent, up to ' . $sent);
            }
        } while (count($batch) == self::BATCH);
    }

    /**
     * Post one batch.
     *
     * @param string $url where to
     * @param string $secret of the webhook, whsec_...
     * @param array $batch rows of the log
     */
    private function post(string $url, string $secret, array $batch): void {
        global $CFG;
        require_once($CFG->libdir . '/filelib.php');
        $message = self::message($batch);
        // The address is the administrator's own, so the lists that guard against addresses of users do not apply.
        $curl = new \curl(['ignoresecurity' => true]);
        $curl->setHeader(self::headers($secret, $message, time()));
        $curl->post($url, $message['body'], ['CURLOPT_TIMEOUT' => 30, 'CURLOPT_FOLLOWLOCATION' => 0]);
        $status = $curl->get_info()['http_code'] ?? 0;
        if ($curl->get_errno() || $status < 200 || $status > 299) {
            throw new \moodle_exception('notaccepted', 'local_certbridge', '', (object) [
                'url' => $url, 'why' => $curl->get_errno() ? $curl->error : "HTTP $status",
            ]);
        }
    }

    /**
     * The message of a batch.
     *
     * @param array $batch rows of the log
     * @return array id and body
     */
    public static function message(array $batch): array {
        global $CFG;
        $first = (int) reset($batch)->id;
        $last = (int) end($batch)->id;
        $changes = [];
        foreach ($batch as $row) {
            $changes[] = [
                'id' => (int) $row->id, 'stream' => $row->stream, 'action' => $row->action, 'objectid' => (int) $row->objectid,
                'courseid' => (int) $row->courseid, 'userid' => (int) $row->userid, 'timecreated' => (int) $row->timecreated,
            ];
        }
        $epoch = changes::epoch();
        return ['id' => "$epoch.$first-$last", 'body' => json_encode([
            'type' => 'moodle.changes',
            'timestamp' => gmdate('Y-m-d\TH:i:s\Z', (int) end($batch)->timecreated),
            'data' => [
                'site' => $CFG->wwwroot, 'epoch' => $epoch, 'first' => $first, 'last' => $last, 'changes' => $changes,
            ],
        ], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES)];
    }

    /**
     * The headers of a message.
     *
     * @param string $secret of the webhook
     * @param array $message its id and body
     * @param int $time when it is sent
     * @return string[]
     */
    public static function headers(string $secret, array $message, int $time): array {
        $key = base64_decode(preg_replace('/^whsec_/', '', trim($secret)), true);
        if (!$key) {
            throw new \moodle_exception('badsecret', 'local_certbridge');
        }
        $signature = base64_encode(hash_hmac('sha256', "{$message['id']}.$time.{$message['body']}", $key, true));
        return [
            'Content-Type: application/json',
            "webhook-id: {$message['id']}",
            "webhook-timestamp: $time",
            "webhook-signature: v1,$signature",
        ];
    }
}
