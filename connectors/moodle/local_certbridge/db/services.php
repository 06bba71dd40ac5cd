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
 * Web service functions, and the service that offers them.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$functions = [];
foreach (
    [
        'info' => 'Which site and plugin this is, and how far the change log reaches.',
        'changes' => 'The change log after an id, with the present rows of what has changed.',
        'users' => 'Accounts, deleted ones too, with custom profile fields.',
        'categories' => 'Course categories.',
        'courses' => 'Courses.',
        'enrolments' => 'Enrolments by every method.',
        'completions' => 'Course completions, of people since unenrolled too.',
        'activity_completions' => 'Activity completions.',
        'grade_items' => 'Grade items with ranges and pass marks.',
        'grades' => 'Grades.',
        'attempts' => 'Quiz attempts.',
        'cohorts' => 'Cohorts.',
        'cohort_members' => 'Cohort members.',
        'badges' => 'Badges issued.',
        'competencies' => 'Competencies with their scales.',
        'competency_ratings' => 'Competency ratings.',
        'plans' => 'Learning plans.',
        'feedbacks' => 'Feedback activities with their questions.',
        'feedback_answers' => 'Feedback answers; anonymous ones stay anonymous.',
    ] as $name => $description
) {
    $functions["local_certbridge_get_$name"] = [
        'classname' => "local_certbridge\\external\\get_$name",
        'methodname' => 'execute',
        'description' => $description,
        'type' => 'read',
        'capabilities' => 'local/certbridge:read',
    ];
}

$services = [
    'CertBridge' => [
        'shortname' => 'certbridge',
        'functions' => array_merge(['core_webservice_get_site_info'], array_keys($functions)),
        'restrictedusers' => 1,
        'enabled' => 1,
        'downloadfiles' => 0,
        'uploadfiles' => 0,
    ],
];
