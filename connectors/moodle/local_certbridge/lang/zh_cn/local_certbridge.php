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
 * Simplified Chinese.
 *
 * @package    local_certbridge
 * @copyright  2026 The CertBridge developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['badsecret'] = 'CertBridge 密钥无法用于签名。请在本插件的设置中重新完整填写（包括开头的 whsec_），与 CertBridge 中的一致。';
$string['certbridge:read'] = '为 CertBridge 读取人员、选课和结果';
$string['cleanup'] = '删除 CertBridge 的旧变更';
$string['enabled'] = '将变更通知 CertBridge';
$string['enabled_desc'] = '消息由 cron 运行的任务发送，绝不在变更者的请求中发送。';
$string['keepdays'] = '变更保留天数';
$string['keepdays_desc'] = '如果 CertBridge 超过此天数没有读取，它会重新读取全部数据。';
$string['log'] = '变更日志';
$string['notaccepted'] = '位于 {$a->url} 的 CertBridge 未接受变更：{$a->why}。稍后会重新发送。请检查本插件设置中的地址和密钥，并确认本服务器能够访问该地址。';
$string['pluginname'] = 'CertBridge';
$string['privacy:certbridge'] = 'CertBridge 读取人员及其结果，并据此得出谁获得了哪些认证。';
$string['privacy:certbridge:account'] = '姓名、用户名、ID 号、电子邮件地址、部门、机构和自定义资料字段。';
$string['privacy:certbridge:answers'] = '反馈活动的回答；匿名回答不含人员和时间。';
$string['privacy:certbridge:enrolments'] = '选课、课程最近访问时间、群组和学习计划。';
$string['privacy:certbridge:results'] = '完成情况、成绩、测验作答、勋章和能力评定。';
$string['privacy:log'] = '已发生的变更，使 CertBridge 不必重新读取全部数据。';
$string['privacy:log:action'] = '内容已变更还是已不存在。';
$string['privacy:log:courseid'] = '所属课程。';
$string['privacy:log:objectid'] = '变更内容的编号。';
$string['privacy:log:stream'] = '变更内容的种类，例如成绩。';
$string['privacy:log:timecreated'] = '发现变更的时间。';
$string['privacy:log:userid'] = '相关人员。';
$string['secret'] = '密钥';
$string['secret_desc'] = 'CertBridge 为此来源设置的密钥（webhook_secrets），以 whsec_ 开头，用于签名每条消息。';
$string['url'] = '地址';
$string['url_desc'] = 'CertBridge 接收本站点消息的地址：https://certbridge.example/api/v1/sources/NAME/events。Moodle 的屏蔽主机和端口列表不适用于此地址。';
$string['webhook'] = '即时通知 CertBridge';
$string['webhook_desc'] = 'CertBridge 通过同名的 Web 服务读取本站点。还可以在发生变更时通知它，使其立即读取。消息只以编号说明什么发生了变更、与谁有关。';
