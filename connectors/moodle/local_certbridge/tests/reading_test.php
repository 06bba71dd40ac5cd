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
 * Reading every stream.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge;

use local_certbridge\external\get_changes;
use local_certbridge\external\get_info;

/**
 * What the web service functions answer.
 *
 * @covers \local_certbridge\external\reader
 * @covers \local_certbridge\external\get_changes
 */
class reading_test extends \advanced_testcase {
    /** @var \stdClass a learner. */
    private $learner;

    /** @var \stdClass a course. */
    private $course;

    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        changes::forget();
        $generator = $this->getDataGenerator();
        $this->learner = $generator->create_user(['idnumber' => 'E1', 'department' => '生产部 & "Q"']);
        $this->course = $generator->create_course(['idnumber' => 'CRS-1', 'enablecompletion' => 1]);
        $generator->enrol_user($this->learner->id, $this->course->id, 'student', 'manual', 1000, 2000);
    }

    /**
     * What a function answers, checked against the shape that it promises.
     *
     * @param string $stream the stream
     * @param mixed ...$arguments of the function
     * @return array
     */
    private function read(string $stream, ...$arguments): array {
        $class = "local_certbridge\\external\\get_$stream";
        return $class::clean_returnvalue($class::execute_returns(), $class::execute(...$arguments));
    }

    /**
     * Every stream has a function, which answers a page in the promised shape.
     */
    public function test_every_stream_can_be_read(): void {
        foreach (changes::STREAMS as $stream) {
            $answer = $this->read($stream);
            $this->assertSame(0, $answer['next'], $stream);
            $this->assertEqualsWithDelta(time(), $answer['time'], 60);
        }
        $this->assertContains('courseids', get_info::execute()['features']);
    }

    /**
     * A user comes as stored, with custom fields; the guest does not come, a deleted user does.
     */
    public function test_users(): void {
        $generator = $this->getDataGenerator();
        $generator->create_custom_profile_field(['shortname' => 'site', 'name' => 'Site', 'datatype' => 'text']);
        profile_save_data((object) ['id' => $this->learner->id, 'profile_field_site' => 'Köln']);
        $deleted = $generator->create_user();
        delete_user($deleted);
        $rows = array_column($this->read('users')['rows'], null, 'id');
        $row = $rows[$this->learner->id];
        $this->assertSame('生产部 & "Q"', $row['department']);
        $this->assertSame([['shortname' => 'site', 'value' => 'Köln']], $row['customfields']);
        $this->assertSame(fullname($this->learner), $row['fullname']);
        $this->assertTrue($rows[$deleted->id]['deleted']);
        $this->assertArrayNotHasKey(guest_user()->id, $rows);
        $this->assertCount(1, $this->read('users', 0, 10, 0, [], [$this->learner->id])['rows']);
    }

    /**
     * Enrolments have method and times; completions of people who are no longer enrolled are still there.
     */
    public function test_enrolments_and_completions(): void {
        $row = $this->read('enrolments')['rows'][0];
        $this->assertSame(['manual', 0, 1000, 2000, null], [
            $row['enrol'], $row['status'], $row['timestart'], $row['timeend'], $row['lastaccess'],
        ]);
        $completion = new \completion_completion(['course' => $this->course->id, 'userid' => $this->learner->id]);
        $completion->mark_complete(1500);
        $manual = enrol_get_plugin('manual');
        foreach (enrol_get_instances($this->course->id, true) as $instance) {
            if ($instance->enrol == 'manual') {
                $manual->unenrol_user($instance, $this->learner->id);
            }
        }
        $this->assertSame([], $this->read('enrolments')['rows']);
        $this->assertSame(1500, $this->read('completions')['rows'][0]['timecompleted']);
    }

    /**
     * A grade keeps all its digits, and its item its pass mark.
     */
    public function test_grades(): void {
        $item = $this->getDataGenerator()->create_grade_item(['courseid' => $this->course->id, 'gradepass' => 60]);
        $item = \grade_item::fetch(['id' => $item->id]);
        $item->update_final_grade($this->learner->id, 33.33333, 'test');
        $rows = array_column($this->read('grades')['rows'], null, 'itemid');
        $this->assertSame('33.33333', $rows[$item->id]['finalgrade']);
        $items = array_column($this->read('grade_items')['rows'], null, 'id');
        $this->assertSame('60.00000', $items[$item->id]['gradepass']);
        $this->assertSame('CRS-1', $items[$item->id]['courseidnumber']);
    }

    /**
     * Pages follow one another by id, without a gap or an overlap, and can be confined to courses.
     */
    public function test_pages(): void {
        $generator = $this->getDataGenerator();
        $other = $generator->create_course();
        for ($n = 0; $n < 5; $n++) {
            $generator->create_and_enrol($n % 2 ? $this->course : $other);
        }
        $all = array_column($this->read('enrolments')['rows'], 'id');
        $this->assertCount(6, $all);
        [$after, $seen] = [0, []];
        do {
            $answer = $this->read('enrolments', $after, 2);
            array_push($seen, ...array_column($answer['rows'], 'id'));
            $after = $answer['next'];
        } while ($after);
        $this->assertSame($all, $seen);
        $this->assertCount(3, $this->read('enrolments', 0, 5, $other->id)['rows']);
        $this->assertCount(6, $this->read('enrolments', 0, 9, 0, [], [], [$other->id, $this->course->id])['rows']);
    }

    /**
     * Two tables of ratings share one sequence of ids.
     */
    public function test_competency_ratings(): void {
        $competencies = $this->getDataGenerator()->get_plugin_generator('core_competency');
        $competency = $competencies->create_competency([
            'competencyframeworkid' => $competencies->create_framework()->get('id'),
        ]);
        $pair = ['userid' => $this->learner->id, 'competencyid' => $competency->get('id')];
        $ofperson = $competencies->create_user_competency($pair);
        $ofcourse = $competencies->create_user_competency_course($pair + ['courseid' => $this->course->id]);
        $ids = [2 * $ofperson->get('id'), 2 * $ofcourse->get('id') + 1];
        sort($ids);
        $this->assertSame($ids, array_column($this->read('competency_ratings')['rows'], 'id'));
        foreach ($ids as $n => $id) {
            $this->assertSame([$id], array_column($this->read('competency_ratings', 0, 9, 0, [$id])['rows'], 'id'));
            $this->assertSame(array_slice($ids, $n + 1), array_column($this->read('competency_ratings', $id)['rows'], 'id'));
        }
        $inside = $this->read('competency_ratings', 0, 9, $this->course->id)['rows'];
        $this->assertSame([(int) $this->course->id], array_column($inside, 'courseid'));
    }

    /**
     * Neither the person nor the time of an anonymous answer is read, and nobody's answers can be asked for by user.
     */
    public function test_anonymous_answers_stay_anonymous(): void {
        global $DB;
        foreach ([FEEDBACK_ANONYMOUS_YES, FEEDBACK_ANONYMOUS_NO] as $anonymous) {
            $feedback = $this->getDataGenerator()->create_module('feedback', [
                'course' => $this->course->id, 'anonymous' => $anonymous,
            ]);
            $DB->insert_record('feedback_completed', [
                'feedback' => $feedback->id, 'userid' => $this->learner->id, 'timemodified' => 1234,
                'random_response' => 1, 'anonymous_response' => $anonymous, 'courseid' => 0,
            ]);
        }
        [$hidden, $named] = $this->read('feedback_answers')['rows'];
        $this->assertSame([null, null, true], [$hidden['userid'], $hidden['timemodified'], $hidden['anonymous']]);
        $this->assertSame([(int) $this->learner->id, 1234], [$named['userid'], $named['timemodified']]);
        $found = $this->read('feedback_answers', 0, 9, 0, [], [$this->learner->id])['rows'];
        $this->assertSame([$named['id']], array_column($found, 'id'));
        // Made anonymous afterwards, what was answered before is hidden too.
        $DB->set_field('feedback', 'anonymous', FEEDBACK_ANONYMOUS_YES);
        $this->assertSame([null, null], array_column($this->read('feedback_answers')['rows'], 'userid'));
    }

    /**
     * An enrolment that ends by itself is told of though no event does.
     */
    public function test_enrolments_that_end_by_themselves(): void {
        $answer = get_changes::clean_returnvalue(get_changes::execute_returns(), get_changes::execute(0, 10, ['enrolments'], 1500));
        $last = end($answer['changes']);
        $this->assertSame([0, 'enrolments', 2000], [$last['id'], $last['stream'], $last['timecreated']]);
        $this->assertCount(1, $answer['enrolments']);
    }

    /**
     * Without the capability nothing is answered; nor are pages that are too large, or choices that a stream has not.
     */
    public function test_refusals(): void {
        foreach ([['users', [0, 20001]], ['cohorts', [0, 9, 0, [], [1]]], ['plans', [0, 9, 3]]] as [$stream, $arguments]) {
            try {
                $this->read($stream, ...$arguments);
                $this->fail($stream);
            } catch (\invalid_parameter_exception $refused) {
                $this->assertNotEmpty($refused->debuginfo);
            }
        }
        $this->setUser($this->learner);
        $this->expectException(\required_capability_exception::class);
        $this->read('users');
    }
}
