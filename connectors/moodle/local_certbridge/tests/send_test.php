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
 * Sending the change log.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge;

use local_certbridge\task\send;

/**
 * The message, its signature and its task.
 *
 * @covers \local_certbridge\task\send
 */
class send_test extends \advanced_testcase {
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        changes::forget();
    }

    /**
     * A message signed with a known key has the signature that a Standard Webhooks library gives it.
     */
    public function test_signature(): void {
        $message = ['id' => 'epoch.1-2', 'body' => '{"type":"moodle.changes"}'];
        $headers = send::headers('whsec_' . base64_encode('0123456789abcdef0123456789abcdef'), $message, 1700000000);
        $this->assertContains('webhook-id: epoch.1-2', $headers);
        $this->assertContains('webhook-timestamp: 1700000000', $headers);
        $this->assertContains('webhook-signature: v1,kPJwQo7TBximlWe5KrBcLyxzgJxaeVd3cNkhbwB+guQ=', $headers);
    }

    /**
     * A secret that is none is refused, without being shown.
     */
    public function test_bad_secret(): void {
        try {
            send::headers('whsec_not base64!', ['id' => 'x', 'body' => '{}'], 1);
            $this->fail();
        } catch (\moodle_exception $refused) {
            $this->assertSame('badsecret', $refused->errorcode);
            $this->assertStringNotContainsString('not base64!', $refused->getMessage());
        }
    }

    /**
     * The body says which changes of which site and log it holds.
     */
    public function test_message(): void {
        global $CFG;
        $row = ['stream' => 'grades', 'action' => 'changed', 'objectid' => '5', 'courseid' => '6', 'userid' => '7'];
        $message = send::message([
            (object) (['id' => '8'] + $row + ['timecreated' => '0']),
            (object) (['id' => '9'] + $row + ['timecreated' => '1']),
        ]);
        $body = json_decode($message['body'], true);
        $this->assertSame(changes::epoch() . '.8-9', $message['id']);
        $this->assertSame(['moodle.changes', '1970-01-01T00:00:01Z'], [$body['type'], $body['timestamp']]);
        $this->assertSame([$CFG->wwwroot, 8, 9], [$body['data']['site'], $body['data']['first'], $body['data']['last']]);
        $this->assertSame([
            'id' => 8, 'stream' => 'grades', 'action' => 'changed', 'objectid' => 5, 'courseid' => 6, 'userid' => 7,
            'timecreated' => 0,
        ], $body['data']['changes'][0]);
    }

    /**
     * However much changes, one task waits; none while the setting is off.
     */
    public function test_one_task(): void {
        global $DB;
        $this->preventResetByRollback();
        $this->getDataGenerator()->create_user();
        $waiting = ['classname' => '\\' . send::class];
        $this->assertSame(0, $DB->count_records('task_adhoc', $waiting));
        set_config('enabled', 1, 'local_certbridge');
        $this->getDataGenerator()->create_user();
        $this->getDataGenerator()->create_user();
        $this->assertSame(1, $DB->count_records('task_adhoc', $waiting));
        $DB->set_field('task_adhoc', 'timestarted', time(), $waiting); // One that runs may have looked already.
        $this->getDataGenerator()->create_user();
        $this->assertSame(2, $DB->count_records('task_adhoc', $waiting));
    }
}
