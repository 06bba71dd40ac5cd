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
 * Reads feedback activities.
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
 * Feedback activities with their questions; anonymous is 1 for anonymous ones and 2 for those with names.
 */
class get_feedbacks extends reader {
    protected const FROM = '{feedback} f
        LEFT JOIN {modules} m ON m.name = \'feedback\'
        LEFT JOIN {course_modules} cm ON cm.module = m.id AND cm.instance = f.id';
    protected const KEY = 'f.id';
    protected const COURSE = 'f.course';
    protected const FIELDS = [
        'id' => ['int', 'f.id'],
        'courseid' => ['int', 'f.course'],
        'cmid' => ['reference', 'cm.id'],
        'name' => ['text', 'f.name'],
        'anonymous' => ['int', 'f.anonymous'],
        'timeopen' => ['time', 'f.timeopen'],
        'timeclose' => ['time', 'f.timeclose'],
    ];

    protected static function more_fields(): array {
        return ['items' => new external_multiple_structure(new external_single_structure([
            'id' => new external_value(PARAM_INT, 'id'),
            'typ' => new external_value(PARAM_RAW, 'kind of question'),
            'name' => new external_value(PARAM_RAW, 'the question'),
            'label' => new external_value(PARAM_RAW, 'label'),
            'presentation' => new external_value(PARAM_RAW, 'choices or range as Moodle keeps them'),
            'position' => new external_value(PARAM_INT, 'place in the form'),
            'required' => new external_value(PARAM_BOOL, 'whether it must be answered'),
        ]))];
    }

    protected static function complete(array $rows): array {
        $items = self::belonging(
            'SELECT i.id, i.feedback AS owner, i.typ, i.name, i.label, i.presentation, i.position, i.required
               FROM {feedback_item} i WHERE %s ORDER BY i.position, i.id',
            'i.feedback',
            array_keys($rows)
        );
        foreach ($rows as $id => $row) {
            $row->items = array_map(fn($item) => array_diff_key((array) $item, ['owner' => 0]), $items[$id] ?? []);
        }
        return $rows;
    }
}
