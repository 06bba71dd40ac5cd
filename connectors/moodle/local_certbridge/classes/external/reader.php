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
 * What the reading functions share: rows of one stream in the order of their primary key.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;


use core_external\external_api;
use core_external\external_function_parameters;
use core_external\external_multiple_structure;
use core_external\external_single_structure;
use core_external\external_value;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../../compat.php');

/**
 * One stream: a query, its columns, and the web service function that reads it page by page.
 */
abstract class reader extends external_api {
    /** @var int the largest page. */
    public const MAXROWS = 20000;

    /** @var int how many ids or users a caller may name in one call. */
    protected const MAXNAMED = 500;

    /**
     * @var string the tables. Those that a row must have a match in are joined by LEFT JOIN as well, and demanded in
     * ONLY by COALESCE(..., 0) > 0: so a database begins with the table whose key the pages go by, and does not sort
     * all of it for each page.
     */
    protected const FROM = '';

    /** @var string the unique column that pages go by. */
    protected const KEY = '';

    /** @var string what every row must fulfil; parameters come from only_params(). */
    protected const ONLY = '1 = 1';

    /** @var string the column of the course, '' if the stream has none. */
    protected const COURSE = '';

    /** @var string the column of the user, '' if the stream has none. */
    protected const USER = '';

    /** @var string for streams whose changes are told by parent and user: the column of the parent. */
    protected const PARENT = '';

    /** @var array field => [kind, SQL expression]; the kinds are those of kind(). The first field is 'id'. */
    protected const FIELDS = [];

    /**
     * Parameters of self::ONLY, in order.
     *
     * @return array
     */
    protected static function only_params(): array {
        return [];
    }

    /**
     * Descriptions of fields that are not columns (lists inside a row).
     *
     * @return array field => description
     */
    protected static function more_fields(): array {
        return [];
    }

    /**
     * Fill the fields of more_fields() in, with a fixed number of queries.
     *
     * @param array $rows the rows by id
     * @return array the rows
     */
    protected static function complete(array $rows): array {
        return $rows;
    }

    /**
     * Columns that complete() needs beside self::FIELDS; they are not answered.
     *
     * @return string SQL
     */
    protected static function more_columns(): string {
        return '';
    }

    /**
     * Arguments of the function.
     *
     * @return external_function_parameters
     */
    public static function execute_parameters() {
        $ids = new external_value(PARAM_INT, 'id');
        return new external_function_parameters([
            'after' => new external_value(PARAM_INT, 'only rows with a greater id', VALUE_DEFAULT, 0),
            'limit' => new external_value(PARAM_INT, 'rows in the answer, at most ' . self::MAXROWS, VALUE_DEFAULT, 5000),
            'courseid' => new external_value(PARAM_INT, 'only this course, 0 for all', VALUE_DEFAULT, 0),
            'ids' => new external_multiple_structure($ids, 'only these rows', VALUE_DEFAULT, []),
            'userids' => new external_multiple_structure($ids, 'only these users', VALUE_DEFAULT, []),
            'courseids' => new external_multiple_structure($ids, 'only these courses', VALUE_DEFAULT, []),
        ]);
    }

    /**
     * Answer one page.
     *
     * @param int $after only rows with a greater id
     * @param int $limit rows in the answer
     * @param int $courseid only this course, 0 for all
     * @param int[] $ids only these rows
     * @param int[] $userids only these users
     * @param int[] $courseids only these courses
     * @return array rows, next (0 at the end), time
     */
    public static function execute($after = 0, $limit = 5000, $courseid = 0, $ids = [], $userids = [], $courseids = []) {
        $given = self::validate_parameters(self::execute_parameters(), [
            'after' => $after, 'limit' => $limit, 'courseid' => $courseid, 'ids' => $ids, 'userids' => $userids,
            'courseids' => $courseids,
        ]);
        self::allow($given['limit']);
        if ($given['courseid']) {
            $given['courseids'][] = $given['courseid'];
        }
        foreach (['ids' => static::KEY, 'userids' => static::USER, 'courseids' => static::COURSE] as $name => $column) {
            if ($given[$name] && $column === '') {
                throw new \invalid_parameter_exception("$name: this function has nothing to choose by it; leave it out");
            }
            if (count($given[$name]) > self::MAXNAMED) {
                throw new \invalid_parameter_exception("$name: more than " . self::MAXNAMED . '; ask in several calls');
            }
        }
        $time = time();
        $rows = static::page($given['after'], $given['limit'], $given['courseids'], $given['ids'], $given['userids']);
        $next = count($rows) == $given['limit'] ? end($rows)->id : 0;
        return ['rows' => $rows, 'next' => $next, 'time' => $time];
    }

    /**
     * Shape of the answer.
     *
     * @return external_single_structure
     */
    public static function execute_returns() {
        return new external_single_structure([
            'rows' => new external_multiple_structure(static::row()),
            'next' => new external_value(PARAM_INT, 'the last id of this page: ask for what comes after it; 0 at the end'),
            'time' => new external_value(PARAM_INT, 'the time on this server when the page was begun'),
        ]);
    }

    /**
     * Shape of one row.
     *
     * @return external_single_structure
     */
    public static function row() {
        $fields = [];
        foreach (static::FIELDS as $name => [$kind, $sql]) {
            $null = in_array($kind, ['int', 'flag']) ? NULL_NOT_ALLOWED : NULL_ALLOWED;
            $fields[$name] = new external_value(self::type($kind), $kind, VALUE_REQUIRED, null, $null);
        }
        return new external_single_structure($fields + static::more_fields());
    }

    /**
     * Moodle's type for a kind of column. Texts are raw; a decimal is a text, so that no digit is lost;
     * a time or a reference that is not set is null.
     *
     * @param string $kind int, maybeint, reference, time, flag, maybeflag, text or decimal
     * @return string
     */
    private static function type(string $kind): string {
        $integers = ['int', 'maybeint', 'reference', 'time'];
        return in_array($kind, $integers) ? PARAM_INT : (in_array($kind, ['flag', 'maybeflag']) ? PARAM_BOOL : PARAM_RAW);
    }

    /**
     * The caller must hold the capability and ask for a page of a size that can be answered.
     *
     * @param int $limit rows asked for
     */
    public static function allow(int $limit = 1): void {
        $context = \context_system::instance();
        self::validate_context($context);
        require_capability('local/certbridge:read', $context);
        if ($limit < 1 || $limit > self::MAXROWS) {
            throw new \invalid_parameter_exception('limit: 1 to ' . self::MAXROWS . ' rows can be asked for, not ' . $limit);
        }
        \core_php_time_limit::raise(300);
        raise_memory_limit(MEMORY_EXTRA);
    }

    /**
     * One page of rows.
     *
     * @param int $after only rows with a greater id
     * @param int $limit how many
     * @param int[] $courseids only of these courses, all if empty
     * @param int[] $ids only these, all if empty
     * @param int[] $userids only of these users, all if empty
     * @return array rows in the order of their id
     */
    protected static function page(int $after, int $limit, array $courseids, array $ids, array $userids): array {
        $where = static::KEY . ' > ?';
        $params = [$after];
        foreach ([[static::KEY, $ids], [static::USER, $userids], [static::COURSE, $courseids]] as [$column, $values]) {
            if ($values) {
                [$sql, $more] = self::in($column, $values);
                $where .= " AND $sql";
                array_push($params, ...$more);
            }
        }
        return static::select($where, $params, $limit);
    }

    /**
     * The present rows of what the log says has changed.
     *
     * @param array $changes rows of the log, of this stream
     * @return array rows
     */
    public static function of_changes(array $changes): array {
        $rows = [];
        foreach (array_chunk($changes, self::MAXNAMED) as $some) {
            if (static::PARENT === '') {
                [$where, $params] = self::in(static::KEY, array_column($some, 'objectid'));
            } else {
                [$where, $params] = self::in_pairs($some);
            }
            $rows += static::select($where, $params);
        }
        return array_values($rows);
    }

    /**
     * SQL that chooses pairs of parent and user.
     *
     * @param array $changes rows of the log
     * @return array SQL, parameters
     */
    private static function in_pairs(array $changes): array {
        $users = [];
        foreach ($changes as $change) {
            $users[static::PARENT == static::COURSE ? $change->courseid : $change->objectid][] = $change->userid;
        }
        [$where, $params] = self::in(static::USER, array_column($changes, 'userid'));
        $pairs = [];
        foreach ($users as $parent => $ofparent) {
            [$sql, $more] = self::in(static::USER, $ofparent);
            $pairs[] = '(' . static::PARENT . " = ? AND $sql)";
            array_push($params, $parent, ...$more);
        }
        return ["$where AND (" . implode(' OR ', $pairs) . ')', $params];
    }

    /**
     * SQL that chooses the values of a column.
     *
     * @param string $column SQL expression
     * @param array $values at least one
     * @return array SQL, parameters
     */
    protected static function in(string $column, array $values): array {
        global $DB;
        [$sql, $params] = $DB->get_in_or_equal(array_values(array_unique($values)));
        return ["$column $sql", $params];
    }

    /**
     * Read rows.
     *
     * @param string $where SQL
     * @param array $params its parameters
     * @param int $limit how many, 0 for all
     * @return array rows by id, in its order
     */
    protected static function select(string $where, array $params, int $limit = 0): array {
        global $DB;
        $columns = [];
        foreach (static::FIELDS as $name => [$kind, $sql]) {
            $columns[] = (in_array($kind, ['time', 'reference']) ? "NULLIF($sql, 0)" : $sql) . " AS $name";
        }
        $sql = 'SELECT ' . implode(', ', $columns) . static::more_columns() . ' FROM ' . static::FROM
            . ' WHERE ' . static::ONLY . " AND $where ORDER BY " . static::KEY;
        return static::complete($DB->get_records_sql($sql, array_merge(static::only_params(), $params), 0, $limit));
    }

    /**
     * Records that belong to rows, read in few queries, grouped by the row that they belong to.
     *
     * @param string $sql a query with the row's id in 'owner' and %s where the choice of owners goes
     * @param string $column the column that holds the owner
     * @param array $owners the rows' ids
     * @return array owner => list of records
     */
    protected static function belonging(string $sql, string $column, array $owners): array {
        global $DB;
        $groups = [];
        foreach (array_chunk($owners, 1000) as $some) {
            [$in, $params] = self::in($column, $some);
            $records = $DB->get_recordset_sql(sprintf($sql, $in), $params);
            foreach ($records as $record) {
                $groups[$record->owner][] = $record;
            }
            $records->close();
        }
        return $groups;
    }
}
