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
 * Reads feedback answers.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;


use core_external\external_multiple_structure;
use core_external\external_single_structure;
use core_external\external_value;

/**
 * Feedback answers. Who gave an anonymous one, and when, is not read, and cannot be found by asking for users.
 */
class get_feedback_answers extends reader {
    /** @var string as long as the answer or the activity is anonymous, 1 being FEEDBACK_ANONYMOUS_YES. */
    private const ANONYMOUS = 'fc.anonymous_response = 1 OR f.anonymous = 1';

    protected const FROM = '{feedback_completed} fc LEFT JOIN {feedback} f ON f.id = fc.feedback';
    protected const KEY = 'fc.id';
    protected const ONLY = 'COALESCE(f.id, 0) > 0';
    protected const COURSE = 'COALESCE(NULLIF(fc.courseid, 0), f.course)';
    protected const USER = '(CASE WHEN ' . self::ANONYMOUS . ' THEN 0 ELSE fc.userid END)';
    protected const FIELDS = [
        'id' => ['int', 'fc.id'],
        'feedbackid' => ['int', 'fc.feedback'],
        'courseid' => ['int', self::COURSE],
        'userid' => ['reference', self::USER],
        'timemodified' => ['time', 'CASE WHEN ' . self::ANONYMOUS . ' THEN 0 ELSE fc.timemodified END'],
        'anonymous' => ['flag', 'CASE WHEN ' . self::ANONYMOUS . ' THEN 1 ELSE 0 END'],
    ];

    protected static function more_fields(): array {
        return ['values' => new external_multiple_structure(new external_single_structure([
            'itemid' => new external_value(PARAM_INT, 'the question'),
            'value' => new external_value(PARAM_RAW, 'the answer as Moodle keeps it'),
        ]))];
    }

    protected static function complete(array $rows): array {
        $values = self::belonging(
            'SELECT v.id, v.completed AS owner, v.item, v.value FROM {feedback_value} v WHERE %s ORDER BY v.item, v.id',
            'v.completed',
            array_keys($rows)
        );
        foreach ($rows as $id => $row) {
            $row->values = array_map(
                fn($value) => ['itemid' => $value->item, 'value' => (string) $value->value],
                $values[$id] ?? []
            );
        }
        return $rows;
    }
}
