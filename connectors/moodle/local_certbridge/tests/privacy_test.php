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
 * What is kept about people.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge;

use core_privacy\local\metadata\collection;
use core_privacy\local\request\approved_contextlist;
use core_privacy\local\request\userlist;
use core_privacy\local\request\writer;
use local_certbridge\privacy\provider;

/**
 * The privacy provider.
 *
 * @covers \local_certbridge\privacy\provider
 */
class privacy_test extends \core_privacy\tests\provider_testcase {
    /**
     * A person's rows are found, handed out and deleted, and nobody else's.
     */
    public function test_rows_of_a_person(): void {
        global $DB;
        $this->resetAfterTest();
        $context = \context_system::instance();
        $one = $this->getDataGenerator()->create_user();
        $other = $this->getDataGenerator()->create_user();
        changes::forget();
        changes::add('grades', 'changed', 1, 2, $one->id);
        changes::add('grades', 'changed', 3, 2, $other->id);
        $this->assertEquals([$context->id], provider::get_contexts_for_userid($one->id)->get_contextids());
        $users = new userlist($context, 'local_certbridge');
        provider::get_users_in_context($users);
        $this->assertContains((int) $one->id, array_map('intval', $users->get_userids()));
        $approved = new approved_contextlist($one, 'local_certbridge', [$context->id]);
        provider::export_user_data($approved);
        $this->assertTrue(writer::with_context($context)->has_any_data());
        provider::delete_data_for_user($approved);
        $this->assertFalse($DB->record_exists('local_certbridge_log', ['userid' => $one->id]));
        $this->assertTrue($DB->record_exists('local_certbridge_log', ['userid' => $other->id]));
    }

    /**
     * Every text of the registry of personal data is there.
     */
    public function test_texts(): void {
        foreach (provider::get_metadata(new collection('local_certbridge'))->get_collection() as $kept) {
            foreach (array_merge([$kept->get_summary()], array_values($kept->get_privacy_fields())) as $text) {
                $this->assertTrue(get_string_manager()->string_exists($text, 'local_certbridge'), $text);
            }
        }
    }
}
