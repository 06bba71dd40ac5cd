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
 * The change log.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge;

/**
 * Writes the log and wakes the sender.
 */
class changes {
    /** @var string[] what can be read; each has a function local_certbridge_get_(stream). */
    public const STREAMS = [
        'users', 'categories', 'courses', 'enrolments', 'completions', 'activity_completions', 'grade_items', 'grades',
        'attempts', 'cohorts', 'cohort_members', 'badges', 'competencies', 'competency_ratings', 'plans', 'feedbacks',
        'feedback_answers',
    ];

    /** @var int a change that repeats the last one about the same thing within these seconds is not written again. */
    private const REPEAT = 60;

    /** @var array what => [action, time] of the last change that this process has written about it. */
    private static $written = [];

    /**
     * Write a change.
     *
     * @param string $stream one of self::STREAMS
     * @param string $action changed, deleted or whole
     * @param int $objectid the row, or the parent where rows are known by parent and user
     * @param int $courseid the course, 0 if none
     * @param int $userid the user, 0 if none
     */
    public static function add(string $stream, string $action, int $objectid, int $courseid = 0, int $userid = 0): void {
        global $DB;
        $now = time();
        $what = "$stream/$objectid/$courseid/$userid";
        [$last, $when] = self::$written[$what] ?? ['', 0];
        if ($last === $action && $now - $when < self::REPEAT) {
            return;
        }
        $DB->insert_record('local_certbridge_log', [
            'stream' => $stream, 'action' => $action, 'objectid' => $objectid, 'courseid' => $courseid, 'userid' => $userid,
            'timecreated' => $now,
        ], false);
        self::$written = count(self::$written) < 10000 ? self::$written : [];
        self::$written[$what] = [$action, $now];
        task\send::wake();
    }

    /**
     * Say that streams must be read again.
     *
     * @param string[] $streams the streams
     * @param int $courseid in this course, 0 for the whole site
     * @param int $userid of this user, 0 for all
     */
    public static function whole(array $streams, int $courseid, int $userid = 0): void {
        foreach ($streams as $stream) {
            self::add($stream, 'whole', 0, $courseid, $userid);
        }
    }

    /**
     * Random text that tells this log from every other one.
     *
     * @return string
     */
    public static function epoch(): string {
        $epoch = get_config('local_certbridge', 'epoch');
        if (!$epoch) {
            $epoch = random_string(20);
            set_config('epoch', $epoch, 'local_certbridge');
        }
        return $epoch;
    }

    /**
     * Forget what was written, as a new process would.
     */
    public static function forget(): void {
        self::$written = [];
    }
}
