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
 * Reads competencies.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;

use core_external\external_multiple_structure;
use core_external\external_value;

/**
 * Competencies with the scale that they are rated on.
 */
class get_competencies extends reader {
    protected const FROM = '{competency} c
        JOIN {competency_framework} f ON f.id = c.competencyframeworkid
        LEFT JOIN {scale} s ON s.id = COALESCE(c.scaleid, f.scaleid)';
    protected const KEY = 'c.id';
    protected const FIELDS = [
        'id' => ['int', 'c.id'],
        'frameworkid' => ['int', 'f.id'],
        'frameworkidnumber' => ['text', 'f.idnumber'],
        'idnumber' => ['text', 'c.idnumber'],
        'shortname' => ['text', 'c.shortname'],
        'parentid' => ['reference', 'c.parentid'],
        'timemodified' => ['time', 'c.timemodified'],
    ];

    protected static function more_columns(): string {
        return ', s.scale AS scaletext,
            CASE WHEN c.scaleid IS NULL THEN f.scaleconfiguration ELSE c.scaleconfiguration END AS setup';
    }

    protected static function more_fields(): array {
        return [
            'scale' => new external_multiple_structure(new external_value(PARAM_RAW, 'a value of the scale, from the lowest on')),
            'proficient' => new external_multiple_structure(new external_value(PARAM_INT, 'a value that counts, the first is 1')),
        ];
    }

    protected static function complete(array $rows): array {
        foreach ($rows as $row) {
            $row->scale = (string) $row->scaletext === '' ? [] : array_map('trim', explode(',', $row->scaletext));
            $setup = json_decode((string) $row->setup) ?: [];
            $row->proficient = array_column(array_filter($setup, fn($value) => !empty($value->proficient)), 'id');
        }
        return $rows;
    }
}
