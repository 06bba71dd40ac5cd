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
 * Filling the change log.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge;

use local_certbridge\external\get_changes;

/**
 * What Moodle's events write into the log, and what is answered for it.
 *
 * @covers \local_certbridge\observer
 * @covers \local_certbridge\changes
 */
class observer_test extends \advanced_testcase {
    /** @var int the end of the log before what is tried. */
    private $before;

    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->preventResetByRollback(); // Observers are told after the transaction only.
        $this->setAdminUser();
        $this->begin();
    }

    /**
     * Look only at what comes from now on.
     */
    private function begin(): void {
        global $DB;
        changes::forget();
        $this->before = (int) $DB->get_field_sql('SELECT MAX(id) FROM {local_certbridge_log}');
    }

    /**
     * The changes since begin().
     *
     * @return array the answer of get_changes
     */
    private function answer(): array {
        return get_changes::clean_returnvalue(get_changes::execute_returns(), get_changes::execute($this->before));
    }

    /**
     * The changes since begin(), shortened.
     *
     * @return string[] stream, action, object, course and user
     */
    private function told(): array {
        return array_map(
            fn($row) => "$row[stream] $row[action] $row[objectid] $row[courseid] $row[userid]",
            $this->answer()['changes']
        );
    }

    /**
     * A user who comes, changes and goes.
     */
    public function test_users(): void {
        $user = $this->getDataGenerator()->create_user();
        $this->assertSame(["users changed $user->id 0 $user->id"], $this->told());
        $this->begin();
        delete_user($user);
        $told = $this->told();
        $this->assertContains("users deleted $user->id 0 $user->id", $told);
        $this->assertContains("cohort_members whole 0 0 $user->id", $told);
        $this->assertTrue($this->answer()['users'][0]['deleted']);
    }

    /**
     * An enrolment that begins, is suspended and ends; the present row comes along as long as there is one.
     */
    public function test_enrolments(): void {
        global $DB;
        $course = $this->getDataGenerator()->create_course();
        $user = $this->getDataGenerator()->create_user();
        $manual = enrol_get_plugin('manual');
        $instance = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'manual']);
        $this->begin();
        $manual->enrol_user($instance, $user->id);
        $manual->update_user_enrol($instance, $user->id, ENROL_USER_SUSPENDED);
        $id = $DB->get_field('user_enrolments', 'id', ['userid' => $user->id]);
        $this->assertSame(["enrolments changed $id $course->id $user->id"], $this->told());
        $this->assertSame(ENROL_USER_SUSPENDED, $this->answer()['enrolments'][0]['status']);
        $this->begin();
        $manual->unenrol_user($instance, $user->id);
        $this->assertContains("enrolments deleted $id $course->id $user->id", $this->told());
        $this->assertSame([], $this->answer()['enrolments']);
    }

    /**
     * A transaction that is undone tells nothing.
     */
    public function test_undone(): void {
        global $DB;
        $user = $this->getDataGenerator()->create_user();
        $this->begin();
        $transaction = $DB->start_delegated_transaction();
        user_update_user((object) ['id' => $user->id, 'department' => 'x'], false);
        try {
            $transaction->rollback(new \moodle_exception('error'));
        } catch (\moodle_exception $undone) {
            $this->assertSame([], $this->told());
        }
    }

    /**
     * Grades, and a course that is reset.
     */
    public function test_grades_and_reset(): void {
        $course = $this->getDataGenerator()->create_course(['enablecompletion' => 1]);
        $user = $this->getDataGenerator()->create_and_enrol($course);
        $this->begin();
        $item = $this->getDataGenerator()->create_grade_item(['courseid' => $course->id]);
        \grade_item::fetch(['id' => $item->id])->update_final_grade($user->id, 5, 'test');
        $grade = \grade_grade::fetch(['itemid' => $item->id, 'userid' => $user->id]);
        $told = $this->told();
        $this->assertContains("grade_items changed $item->id $course->id 0", $told);
        $this->assertContains("grades changed $grade->id $course->id $user->id", $told);
        $this->begin();
        reset_course_userdata((object) [
            'id' => $course->id, 'reset_gradebook_grades' => 1, 'reset_completion' => 1,
            'reset_start_date_old' => 0, 'reset_end_date_old' => 0,
        ]);
        foreach (['enrolments', 'completions', 'activity_completions', 'grades', 'attempts'] as $stream) {
            $this->assertContains("$stream whole 0 $course->id 0", $this->told());
        }
    }

    /**
     * A grade of a quiz says that its attempts are to be read, even where nothing told of them; one of an assignment does not.
     */
    public function test_grade_of_a_quiz(): void {
        $course = $this->getDataGenerator()->create_course();
        $user = $this->getDataGenerator()->create_and_enrol($course);
        foreach (['quiz' => 'assertContains', 'assign' => 'assertNotContains'] as $module => $assert) {
            $instance = $this->getDataGenerator()->create_module($module, ['course' => $course->id]);
            $item = \grade_item::fetch(['itemmodule' => $module, 'iteminstance' => $instance->id]);
            $this->begin();
            $item->update_final_grade($user->id, 5, 'test');
            $this->$assert("attempts changed 0 $course->id $user->id", $this->told());
        }
    }

    /**
     * The same grade, given again, is told, for its date has moved.
     */
    public function test_same_grade_again(): void {
        global $CFG;
        require_once($CFG->dirroot . '/mod/assign/locallib.php');
        $course = $this->getDataGenerator()->create_course();
        $user = $this->getDataGenerator()->create_and_enrol($course);
        $instance = $this->getDataGenerator()->create_module('assign', ['course' => $course->id]);
        $cm = get_coursemodule_from_id('assign', $instance->cmid);
        $assign = new \assign(\context_module::instance($cm->id), $cm, $course);
        $given = (object) [
            'grade' => 80, 'attemptnumber' => -1, 'addattempt' => 0, 'sendstudentnotifications' => 0, 'workflowstate' => '',
            'applytoall' => 0,
        ];
        $assign->save_grade($user->id, $given);
        $item = \grade_item::fetch(['itemmodule' => 'assign', 'iteminstance' => $instance->id]);
        $grade = \grade_grade::fetch(['itemid' => $item->id, 'userid' => $user->id]);
        $this->begin();
        $assign->save_grade($user->id, $given);
        $this->assertContains("grades changed $grade->id $course->id $user->id", $this->told());
    }

    /**
     * Cohorts and their members; the members of a cohort that is deleted go with it.
     */
    public function test_cohorts(): void {
        $user = $this->getDataGenerator()->create_user();
        $this->begin();
        $cohort = $this->getDataGenerator()->create_cohort();
        cohort_add_member($cohort->id, $user->id);
        cohort_delete_cohort($cohort);
        $this->assertSame([
            "cohorts changed $cohort->id 0 0",
            "cohort_members changed $cohort->id 0 $user->id",
            "cohorts deleted $cohort->id 0 0",
            "cohort_members deleted $cohort->id 0 0",
        ], $this->told());
    }

    /**
     * A named answer is logged, an anonymous one is not: its time would tell whose it is.
     */
    public function test_feedback(): void {
        $course = $this->getDataGenerator()->create_course();
        $user = $this->getDataGenerator()->create_and_enrol($course);
        foreach ([FEEDBACK_ANONYMOUS_YES => 0, FEEDBACK_ANONYMOUS_NO => 1] as $anonymous => $expected) {
            $feedback = $this->getDataGenerator()->create_module('feedback', [
                'course' => $course->id, 'anonymous' => $anonymous,
            ]);
            $this->begin();
            \mod_feedback\event\response_submitted::create_from_record((object) [
                'id' => 77, 'feedback' => $feedback->id, 'userid' => $user->id, 'timemodified' => 1, 'random_response' => 0,
                'anonymous_response' => $anonymous, 'courseid' => 0,
            ], get_coursemodule_from_instance('feedback', $feedback->id))->trigger();
            $this->assertCount($expected, $this->told());
        }
    }

    /**
     * Old changes are deleted, but never the newest.
     */
    public function test_cleanup(): void {
        global $DB;
        $this->getDataGenerator()->create_user();
        $this->getDataGenerator()->create_user();
        $DB->set_field('local_certbridge_log', 'timecreated', 1);
        $last = (int) $DB->get_field_sql('SELECT MAX(id) FROM {local_certbridge_log}');
        (new task\cleanup())->execute();
        $this->assertEquals([$last], $DB->get_fieldset_select('local_certbridge_log', 'id', ''));
    }
}
