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
 * Which events the change log is fed by.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$observers = [];
foreach (
    [
        'user' => [
            'core\event\user_created', 'core\event\user_updated', 'core\event\user_deleted',
        ],
        'category' => [
            'core\event\course_category_created', 'core\event\course_category_updated',
            'core\event\course_category_deleted',
        ],
        'course' => [
            'core\event\course_created', 'core\event\course_updated', 'core\event\course_deleted',
            'core\event\course_restored', 'core\event\course_reset_ended',
        ],
        'module' => [
            'core\event\course_module_created', 'core\event\course_module_updated', 'core\event\course_module_deleted',
        ],
        'enrolment' => [
            'core\event\user_enrolment_created', 'core\event\user_enrolment_updated',
            'core\event\user_enrolment_deleted',
        ],
        'enrolment_method' => [
            'core\event\enrol_instance_updated', 'core\event\enrol_instance_deleted',
        ],
        'completion' => [
            'core\event\course_completed',
        ],
        'completion_criteria' => [
            'core\event\course_completion_updated',
        ],
        'activity_completion' => [
            'core\event\course_module_completion_updated',
        ],
        'grade_item' => [
            'core\event\grade_item_created', 'core\event\grade_item_updated', 'core\event\grade_item_deleted',
        ],
        'grade' => [
            'core\event\user_graded', 'core\event\grade_deleted',
        ],
        'assignment' => ['mod_assign\event\submission_graded'],
        'attempt' => [
            'mod_quiz\event\attempt_started', 'mod_quiz\event\attempt_submitted', 'mod_quiz\event\attempt_becameoverdue',
            'mod_quiz\event\attempt_abandoned', 'mod_quiz\event\attempt_reopened', 'mod_quiz\event\attempt_regraded',
            'mod_quiz\event\attempt_manual_grading_completed', 'mod_quiz\event\attempt_graded',
            'mod_quiz\event\attempt_deleted',
        ],
        'question_graded' => [
            'mod_quiz\event\question_manually_graded',
        ],
        'quiz_grade' => [
            'mod_quiz\event\quiz_grade_updated',
        ],
        'cohort' => [
            'core\event\cohort_created', 'core\event\cohort_updated', 'core\event\cohort_deleted',
        ],
        'cohort_member' => [
            'core\event\cohort_member_added', 'core\event\cohort_member_removed',
        ],
        'badge_issued' => [
            'core\event\badge_awarded', 'core\event\badge_revoked',
        ],
        'badge' => [
            'core\event\badge_updated', 'core\event\badge_deleted',
        ],
        'competency' => [
            'core\event\competency_created', 'core\event\competency_updated', 'core\event\competency_deleted',
        ],
        'competency_framework' => [
            'core\event\competency_framework_updated', 'core\event\competency_framework_deleted',
        ],
        'competency_rating' => [
            'core\event\competency_user_competency_rated', 'core\event\competency_evidence_created',
            'core\event\competency_user_competency_rated_in_course',
            'core\event\competency_user_competency_review_requested',
            'core\event\competency_user_competency_review_request_cancelled',
            'core\event\competency_user_competency_review_started',
            'core\event\competency_user_competency_review_stopped',
        ],
        'plan' => [
            'core\event\competency_plan_created', 'core\event\competency_plan_updated',
            'core\event\competency_plan_deleted', 'core\event\competency_plan_approved',
            'core\event\competency_plan_unapproved', 'core\event\competency_plan_completed',
            'core\event\competency_plan_reopened', 'core\event\competency_plan_unlinked',
            'core\event\competency_plan_review_requested', 'core\event\competency_plan_review_request_cancelled',
            'core\event\competency_plan_review_started', 'core\event\competency_plan_review_stopped',
        ],
        'feedback_answer' => [
            'mod_feedback\event\response_submitted', 'mod_feedback\event\response_deleted',
        ],
    ] as $method => $events
) {
    foreach ($events as $event) {
        // Not internal: only what has been committed is logged.
        $observers[] = [
            'eventname' => '\\' . $event,
            'callback' => '\local_certbridge\observer::' . $method,
            'internal' => false,
        ];
    }
}
