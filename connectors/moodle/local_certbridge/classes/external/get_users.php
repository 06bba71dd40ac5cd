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
 * Reads users.
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
 * All accounts, deleted ones too, with custom profile fields; the guest is left out.
 */
class get_users extends reader {
    protected const FROM = '{user} u';
    protected const KEY = 'u.id';
    protected const USER = 'u.id';
    protected const ONLY = 'u.id <> ?';
    protected const FIELDS = [
        'id' => ['int', 'u.id'],
        'username' => ['text', 'u.username'],
        'idnumber' => ['text', 'u.idnumber'],
        'email' => ['text', 'u.email'],
        'firstname' => ['text', 'u.firstname'],
        'lastname' => ['text', 'u.lastname'],
        'department' => ['text', 'u.department'],
        'institution' => ['text', 'u.institution'],
        'suspended' => ['flag', 'u.suspended'],
        'deleted' => ['flag', 'u.deleted'],
        'timecreated' => ['time', 'u.timecreated'],
        'timemodified' => ['time', 'u.timemodified'],
        'lastaccess' => ['time', 'u.lastaccess'],
    ];

    protected static function only_params(): array {
        global $CFG;
        return [$CFG->siteguest];
    }

    protected static function more_columns(): string {
        return ', u.firstnamephonetic, u.lastnamephonetic, u.middlename, u.alternatename';
    }

    protected static function more_fields(): array {
        return [
            'fullname' => new external_value(PARAM_RAW, 'the name as this site writes it'),
            'customfields' => new external_multiple_structure(new external_single_structure([
                'shortname' => new external_value(PARAM_RAW, 'short name of the profile field'),
                'value' => new external_value(PARAM_RAW, 'value as it is stored', VALUE_REQUIRED, null, NULL_ALLOWED),
            ])),
        ];
    }

    protected static function complete(array $rows): array {
        $values = self::belonging(
            'SELECT d.id, d.userid AS owner, f.shortname, d.data AS value
               FROM {user_info_data} d JOIN {user_info_field} f ON f.id = d.fieldid
              WHERE %s ORDER BY d.id',
            'd.userid',
            array_keys($rows)
        );
        foreach ($rows as $id => $row) {
            $row->fullname = fullname($row);
            $row->customfields = array_map(
                fn($value) => ['shortname' => $value->shortname, 'value' => $value->value],
                $values[$id] ?? []
            );
        }
        return $rows;
    }
}
