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
 * Reads quiz attempts.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

/**
 * Quiz attempts without previews; marks are out of quizsumgrades, the quiz counts quizgrade.
 */
class get_attempts extends reader {
    protected const FROM = '{quiz_attempts} qa
        LEFT JOIN {quiz} q ON q.id = qa.quiz
        LEFT JOIN {modules} m ON m.name = \'quiz\'
        LEFT JOIN {course_modules} cm ON cm.module = m.id AND cm.instance = q.id';
    protected const KEY = 'qa.id';
    protected const ONLY = 'qa.preview = 0 AND COALESCE(q.id, 0) > 0';
    protected const COURSE = 'q.course';
    protected const USER = 'qa.userid';
    protected const PARENT = 'q.course';
    protected const FIELDS = [
        'id' => ['int', 'qa.id'],
        'quizid' => ['int', 'qa.quiz'],
        'courseid' => ['int', 'q.course'],
        'cmid' => ['reference', 'cm.id'],
        'userid' => ['int', 'qa.userid'],
        'attempt' => ['int', 'qa.attempt'],
        'state' => ['text', 'qa.state'],
        'timestart' => ['time', 'qa.timestart'],
        'timefinish' => ['time', 'qa.timefinish'],
        'sumgrades' => ['decimal', 'qa.sumgrades'],
        'quizsumgrades' => ['decimal', 'q.sumgrades'],
        'quizgrade' => ['decimal', 'q.grade'],
    ];
}
