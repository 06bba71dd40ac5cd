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
 * English.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['badsecret'] = 'The CertBridge secret cannot be used to sign. Enter it again in the settings of this plugin, whole, with its beginning whsec_, as CertBridge has it.';
$string['certbridge:read'] = 'Read people, enrolments and results for CertBridge';
$string['cleanup'] = 'Delete old changes of CertBridge';
$string['enabled'] = 'Tell CertBridge of changes';
$string['enabled_desc'] = 'A task that cron runs sends the messages, never the request of the person who changed something.';
$string['keepdays'] = 'Keep changes for (days)';
$string['keepdays_desc'] = 'If CertBridge has not read for longer than this, it reads everything again.';
$string['log'] = 'Change log';
$string['notaccepted'] = 'CertBridge at {$a->url} did not accept the changes: {$a->why}. They are sent again later. Check the address and the secret in the settings of this plugin, and that this server may reach that address.';
$string['pluginname'] = 'CertBridge';
$string['privacy:certbridge'] = 'CertBridge reads people and their results, and derives who is certified for what.';
$string['privacy:certbridge:account'] = 'Name, user name, ID number, e-mail address, department, institution and custom profile fields.';
$string['privacy:certbridge:answers'] = 'Answers to feedback activities; of anonymous ones neither the person nor the time.';
$string['privacy:certbridge:enrolments'] = 'Enrolments, last access to courses, cohorts and learning plans.';
$string['privacy:certbridge:results'] = 'Completions, grades, quiz attempts, badges and competency ratings.';
$string['privacy:log'] = 'What has changed, so that CertBridge need not read everything again.';
$string['privacy:log:action'] = 'Whether it has changed or is gone.';
$string['privacy:log:courseid'] = 'The course it belongs to.';
$string['privacy:log:objectid'] = 'The number of what has changed.';
$string['privacy:log:stream'] = 'The kind of thing that has changed, such as a grade.';
$string['privacy:log:timecreated'] = 'When it was noticed.';
$string['privacy:log:userid'] = 'The person whom it is about.';
$string['secret'] = 'Secret';
$string['secret_desc'] = 'The secret that CertBridge has for this source (webhook_secrets). It begins with whsec_ and signs every message.';
$string['url'] = 'Address';
$string['url_desc'] = 'Where CertBridge listens for this site: https://certbridge.example/api/v1/sources/NAME/events. Moodle lists of blocked hosts and ports are not applied to it.';
$string['webhook'] = 'Telling CertBridge at once';
$string['webhook_desc'] = 'CertBridge reads this site through the web service of the same name. It can be told as well that something has changed, so that it looks at once. A message says what has changed, and about whom, by numbers only.';
