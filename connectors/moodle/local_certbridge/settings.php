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
 * The settings page.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

if ($hassiteconfig) {
    $settings = new admin_settingpage('local_certbridge', new lang_string('pluginname', 'local_certbridge'));
    $settings->add(new admin_setting_heading(
        'local_certbridge/webhook',
        new lang_string('webhook', 'local_certbridge'),
        new lang_string('webhook_desc', 'local_certbridge')
    ));
    $settings->add(new admin_setting_configcheckbox(
        'local_certbridge/enabled',
        new lang_string('enabled', 'local_certbridge'),
        new lang_string('enabled_desc', 'local_certbridge'),
        0
    ));
    $settings->add(new admin_setting_configtext(
        'local_certbridge/url',
        new lang_string('url', 'local_certbridge'),
        new lang_string('url_desc', 'local_certbridge'),
        '',
        PARAM_URL,
        60
    ));
    $settings->add(new admin_setting_configpasswordunmask(
        'local_certbridge/secret',
        new lang_string('secret', 'local_certbridge'),
        new lang_string('secret_desc', 'local_certbridge'),
        ''
    ));
    $settings->add(new admin_setting_heading('local_certbridge/log', new lang_string('log', 'local_certbridge'), ''));
    $settings->add(new admin_setting_configtext(
        'local_certbridge/keepdays',
        new lang_string('keepdays', 'local_certbridge'),
        new lang_string('keepdays_desc', 'local_certbridge'),
        60,
        PARAM_INT,
        4
    ));
    $ADMIN->add('localplugins', $settings);
}
