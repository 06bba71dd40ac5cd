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
 * Reads competency ratings.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

namespace local_certbridge\external;


/**
 * Ratings of people's competencies: those of the person (courseid null) and those within a course.
 *
 * Moodle keeps them in two tables. So that one key serves both, a rating's id is twice the id in
 * competency_usercomp, or twice the id in competency_usercompcourse and one more.
 */
class get_competency_ratings extends reader {
    protected const KEY = 'id';
    protected const COURSE = 'courseid';
    protected const USER = 'userid';
    protected const FIELDS = [
        'id' => ['int', 'id'],
        'userid' => ['int', 'userid'],
        'competencyid' => ['int', 'competencyid'],
        'courseid' => ['reference', 'courseid'],
        'grade' => ['maybeint', 'grade'],
        'proficiency' => ['maybeflag', 'proficiency'],
        'status' => ['maybeint', 'status'],
        'timemodified' => ['time', 'timemodified'],
    ];

    /** @var array what is added to twice the id => [table, column of the course, column of the status]. */
    private const TABLES = [
        ['competency_usercomp', 'NULL', 'r.status'],
        ['competency_usercompcourse', 'r.courseid', 'NULL'],
    ];

    protected static function page(int $after, int $limit, array $courseids, array $ids, array $userids): array {
        $rows = [];
        foreach (self::TABLES as $bit => [$table, $course]) {
            $where = 'r.id > ?';
            $params = [intdiv($after - $bit + 2, 2) - 1]; // Rounded down: 2 * id + bit > after.
            $own = $ids ? (self::of_table($ids, $bit) ?: [0]) : [];
            foreach ([['r.id', $own], ['r.userid', $userids], [$course, $courseids]] as [$column, $values]) {
                if ($values) {
                    [$sql, $more] = self::in($column, $values);
                    $where .= " AND $sql";
                    array_push($params, ...$more);
                }
            }
            $rows += self::of($bit, $where, $params, $limit);
        }
        ksort($rows);
        return array_slice($rows, 0, $limit);
    }

    public static function of_changes(array $changes): array {
        $rows = [];
        foreach (array_chunk(array_column($changes, 'objectid'), self::MAXNAMED) as $ids) {
            if ($ofperson = self::of_table($ids, 0)) {
                [$in, $params] = self::in('r.id', $ofperson);
                $rows += self::of(0, $in, $params);
                // A rating within a course changes by the evidence that the person's rating changes by.
                [$in, $params] = self::in('uc.id', $ofperson);
                $same = 'SELECT 1 FROM {competency_usercomp} uc
                          WHERE uc.userid = r.userid AND uc.competencyid = r.competencyid';
                $rows += self::of(1, "EXISTS ($same AND $in)", $params);
            }
            if ($ofcourse = self::of_table($ids, 1)) {
                [$in, $params] = self::in('r.id', $ofcourse);
                $rows += self::of(1, $in, $params);
            }
        }
        return array_values($rows);
    }

    /**
     * The ids, as one of the tables has them, of those ratings that it holds.
     *
     * @param int[] $ids ids of ratings
     * @param int $bit which table
     * @return int[]
     */
    private static function of_table(array $ids, int $bit): array {
        return array_map(fn($id) => intdiv($id, 2), array_filter($ids, fn($id) => $id % 2 == $bit));
    }

    /**
     * Read ratings from one of the tables.
     *
     * @param int $bit which table
     * @param string $where SQL
     * @param array $params its parameters
     * @param int $limit how many, 0 for all
     * @return array rows by id
     */
    private static function of(int $bit, string $where, array $params, int $limit = 0): array {
        global $DB;
        [$table, $course, $status] = self::TABLES[$bit];
        return $DB->get_records_sql(
            "SELECT 2 * r.id + $bit AS id, r.userid, r.competencyid, $course AS courseid, r.grade, r.proficiency,
                    $status AS status, NULLIF(r.timemodified, 0) AS timemodified
               FROM {{$table}} r WHERE $where ORDER BY r.id",
            $params,
            0,
            $limit
        );
    }
}
