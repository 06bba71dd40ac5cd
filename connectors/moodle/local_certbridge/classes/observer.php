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
 * Writes the change log from Moodle's events.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge;

use core\event\base;

/**
 * One method for each kind of event in db/events.php.
 */
class observer {
    /** @var string[] what belongs to a course and is gone, or another, when the course is reset, restored or deleted. */
    private const OF_COURSE = [
        'enrolments', 'completions', 'activity_completions', 'grade_items', 'grades', 'attempts', 'competency_ratings',
        'feedbacks', 'feedback_answers',
    ];

    /** @var string[] what Moodle takes from a deleted user, mostly without an event. */
    private const OF_USER = ['enrolments', 'grades', 'cohort_members', 'competency_ratings', 'plans'];

    /**
     * Users.
     *
     * @param base $event user_created, user_updated or user_deleted
     */
    public static function user(base $event): void {
        changes::add('users', self::action($event), $event->objectid, 0, $event->objectid);
        if ($event->crud == 'd') {
            changes::whole(self::OF_USER, 0, $event->objectid);
        }
    }

    /**
     * Course categories. A category that moves takes the paths of those below it along.
     *
     * @param base $event course_category_created, _updated or _deleted
     */
    public static function category(base $event): void {
        changes::add('categories', self::action($event), $event->objectid);
        if ($event->crud == 'u') {
            changes::whole(['categories'], 0);
        }
    }

    /**
     * Courses.
     *
     * @param base $event course_created, _updated, _deleted, _restored or _reset_ended
     */
    public static function course(base $event): void {
        if ($event->courseid == SITEID) {
            return;
        }
        $action = $event instanceof \core\event\course_deleted ? 'deleted' : 'changed';
        changes::add('courses', $action, $event->courseid, $event->courseid);
        if (!$event instanceof \core\event\course_created && !$event instanceof \core\event\course_updated) {
            changes::whole(self::OF_COURSE, $event->courseid);
        }
    }

    /**
     * Activities: completions can be wiped by an edit, and marks scaled otherwise, without a further event.
     *
     * @param base $event course_module_created, _updated or _deleted
     */
    public static function module(base $event): void {
        $module = $event->other['modulename'];
        if ($module == 'feedback') {
            changes::add('feedbacks', self::action($event), $event->other['instanceid'], $event->courseid);
        }
        if ($event->crud == 'c') {
            return;
        }
        $streams = ['quiz' => ['attempts'], 'feedback' => ['feedback_answers']][$module] ?? [];
        changes::whole(array_merge(['activity_completions'], $streams), $event->courseid);
    }

    /**
     * Enrolments.
     *
     * @param base $event user_enrolment_created, _updated or _deleted
     */
    public static function enrolment(base $event): void {
        changes::add('enrolments', self::action($event), $event->objectid, $event->courseid, $event->relateduserid);
    }

    /**
     * Enrolment methods: all their enrolments count, or no longer count.
     *
     * @param base $event enrol_instance_updated or _deleted
     */
    public static function enrolment_method(base $event): void {
        changes::whole(['enrolments'], $event->courseid);
    }

    /**
     * Course completions.
     *
     * @param base $event course_completed
     */
    public static function completion(base $event): void {
        changes::add('completions', 'changed', $event->objectid, $event->courseid, $event->relateduserid);
    }

    /**
     * Completion criteria: unlocking them deletes the completions of the course.
     *
     * @param base $event course_completion_updated
     */
    public static function completion_criteria(base $event): void {
        changes::whole(['completions'], $event->courseid);
    }

    /**
     * Activity completions.
     *
     * @param base $event course_module_completion_updated
     */
    public static function activity_completion(base $event): void {
        changes::add('activity_completions', 'changed', $event->objectid, $event->courseid, $event->relateduserid);
    }

    /**
     * Grade items.
     *
     * @param base $event grade_item_created, _updated or _deleted
     */
    public static function grade_item(base $event): void {
        changes::add('grade_items', self::action($event), $event->objectid, $event->courseid);
    }

    /**
     * Grades. A quiz is graded because of its attempts; what writes these past Moodle's own pages fires no event for them.
     *
     * @param base $event user_graded or grade_deleted
     */
    public static function grade(base $event): void {
        changes::add('grades', self::action($event), $event->objectid, $event->courseid, $event->relateduserid);
        if ($event instanceof \core\event\user_graded && $event->get_grade()->load_grade_item()->itemmodule == 'quiz') {
            changes::add('attempts', 'changed', 0, $event->courseid, $event->relateduserid);
        }
    }

    /**
     * Quiz attempts, known by course and user.
     *
     * @param base $event one of the attempt_... events
     */
    public static function attempt(base $event): void {
        changes::add('attempts', self::action($event), $event->objectid, $event->courseid, (int) $event->relateduserid);
        self::graded_again($event);
    }

    /**
     * Graded assignments.
     *
     * @param base $event submission_graded
     */
    public static function assignment(base $event): void {
        self::graded_again($event);
    }

    /**
     * Where an activity gives the same grade again, its date moves and no further event is fired.
     *
     * @param base $event of the activity
     */
    private static function graded_again(base $event): void {
        global $DB;
        $sql = "SELECT gg.id FROM {course_modules} cm
                  JOIN {modules} m ON m.id = cm.module
                  JOIN {grade_items} gi ON gi.itemtype = 'mod' AND gi.itemmodule = m.name AND gi.iteminstance = cm.instance
                  JOIN {grade_grades} gg ON gg.itemid = gi.id
                 WHERE cm.id = ? AND gg.userid = ?";
        foreach ($DB->get_fieldset_sql($sql, [$event->contextinstanceid, (int) $event->relateduserid]) as $id) {
            changes::add('grades', 'changed', $id, $event->courseid, $event->relateduserid);
        }
    }

    /**
     * A question of an attempt was graded by hand.
     *
     * @param base $event question_manually_graded
     */
    public static function question_graded(base $event): void {
        changes::add('attempts', 'changed', $event->other['attemptid'], $event->courseid, (int) $event->relateduserid);
    }

    /**
     * A quiz counts another number of points.
     *
     * @param base $event quiz_grade_updated
     */
    public static function quiz_grade(base $event): void {
        changes::whole(['attempts'], $event->courseid);
    }

    /**
     * Cohorts.
     *
     * @param base $event cohort_created, _updated or _deleted
     */
    public static function cohort(base $event): void {
        changes::add('cohorts', self::action($event), $event->objectid);
        if ($event->crud == 'd') {
            changes::add('cohort_members', 'deleted', $event->objectid);
        }
    }

    /**
     * Cohort members, known by cohort and user.
     *
     * @param base $event cohort_member_added or _removed
     */
    public static function cohort_member(base $event): void {
        $action = $event instanceof \core\event\cohort_member_removed ? 'deleted' : 'changed';
        changes::add('cohort_members', $action, $event->objectid, 0, $event->relateduserid);
    }

    /**
     * Badges that people hold, known by badge and user.
     *
     * @param base $event badge_awarded or badge_revoked
     */
    public static function badge_issued(base $event): void {
        $action = $event instanceof \core\event\badge_revoked ? 'deleted' : 'changed';
        changes::add('badges', $action, $event->objectid, self::course_of($event), $event->relateduserid);
    }

    /**
     * Badges themselves.
     *
     * @param base $event badge_updated or badge_deleted
     */
    public static function badge(base $event): void {
        if ($event->crud == 'd') {
            changes::add('badges', 'deleted', $event->objectid, self::course_of($event));
        } else {
            changes::whole(['badges'], self::course_of($event));
        }
    }

    /**
     * Competencies.
     *
     * @param base $event competency_created, _updated or _deleted
     */
    public static function competency(base $event): void {
        changes::add('competencies', self::action($event), $event->objectid);
    }

    /**
     * Competency frameworks.
     *
     * @param base $event competency_framework_updated or _deleted
     */
    public static function competency_framework(base $event): void {
        changes::whole(['competencies'], 0);
    }

    /**
     * Competency ratings; their id is explained at external\get_competency_ratings.
     *
     * @param base $event competency_user_competency_... or competency_evidence_created
     */
    public static function competency_rating(base $event): void {
        $id = 2 * ($event->other['usercompetencyid'] ?? $event->objectid);
        if ($event instanceof \core\event\competency_user_competency_rated_in_course) {
            $id++;
        }
        changes::add('competency_ratings', 'changed', $id, self::course_of($event), $event->relateduserid);
    }

    /**
     * Learning plans.
     *
     * @param base $event one of the competency_plan_... events
     */
    public static function plan(base $event): void {
        changes::add('plans', self::action($event), $event->objectid, 0, (int) $event->relateduserid);
    }

    /**
     * Feedback answers. An anonymous one is not logged: the log would say when it was given.
     *
     * @param base $event response_submitted or response_deleted
     */
    public static function feedback_answer(base $event): void {
        if (!$event->anonymous) {
            changes::add('feedback_answers', self::action($event), $event->objectid, $event->courseid, $event->relateduserid);
        }
    }

    /**
     * Whether the event tells of something that is gone.
     *
     * @param base $event any event
     * @return string
     */
    private static function action(base $event): string {
        return $event->crud == 'd' ? 'deleted' : 'changed';
    }

    /**
     * The course that an event belongs to; the front page is none.
     *
     * @param base $event any event
     * @return int 0 if none
     */
    private static function course_of(base $event): int {
        return $event->courseid == SITEID ? 0 : (int) $event->courseid;
    }
}
