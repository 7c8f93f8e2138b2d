<?php
// Receives webhooks of Signalbox and takes only what Signalbox has signed.
// Put the signing secret (whsec_…) into the environment variable SIGNALBOX_SECRET; then serve this file as any other,
// or try it: php -S 127.0.0.1:8000 receiver.php

declare(strict_types=1);

const TOLERANCE_SECONDS = 5 * 60;

/** Your own work comes here. If it throws, the answer is 500 and Signalbox calls again later. */
function handle(string $event, array $data): void
{
    error_log("handled $event " . implode(' ', array_keys($data)));
}

/** Why a call is refused; null when it is genuine. $body holds the bytes as they came, never parsed and written anew. */
function refusal(string $secret, string $id, string $timestamp, string $signatures, string $body): ?string
{
    if ($id === '' || $timestamp === '' || $signatures === '') {
        return 'a header is missing';
    }
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return 'the timestamp is too old or too new';
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // While the secret is being changed there are two signatures; one that fits is enough.
    foreach (explode(' ', $signatures) as $given) {
        if (hash_equals($expected, $given)) {
            return null;
        }
    }
    return 'the signature does not fit';
}

function answer(int $status, string $text): never
{
    http_response_code($status);
    header('Content-Type: text/plain');
    exit($text);
}

$secret = getenv('SIGNALBOX_SECRET');
if (!$secret) {
    error_log('Set SIGNALBOX_SECRET to the signing secret of the webhook.');
    answer(500, 'not set up');
}
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$body = file_get_contents('php://input');
$refused = refusal($secret, $id, $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '', $body);
if ($refused !== null) {
    answer(401, $refused);
}

// Ids that were handled, one file each. Keep them in your database instead, if you have one.
$folder = sys_get_temp_dir() . '/signalbox-handled';
if (!is_dir($folder)) {
    @mkdir($folder, 0700);
}
$mark = $folder . '/' . hash('sha256', $id);
if (file_exists($mark)) {
    answer(200, 'handled before');
}
try {
    handle($_SERVER['HTTP_X_WEBHOOK_EVENT'] ?? '', json_decode($body, true, 512, JSON_THROW_ON_ERROR));
} catch (Throwable $error) {
    error_log($error->getMessage());
    answer(500, 'failed');
}
touch($mark);
answer(200, 'handled');
