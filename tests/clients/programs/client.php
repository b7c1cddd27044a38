<?php
// SPDX-License-Identifier: MIT
//
// client.php LIBRARY PORT [FILE]: fetches something from 127.0.0.1:PORT, or puts FILE. PHP warns and gives false where
// other languages throw; like most programs, this one looks at that only where nothing came at all.
// The limits that the streams have of their own (60 s) are far away.
[, $library, $port] = $argv;
ini_set('default_socket_timeout', '3600');
ini_set('display_errors', 'stderr');

function answered($answer)
{
    exit($answer === false ? 1 : 0);
}

switch ($library) {
    case 'fsockopen':
        $stream = fsockopen('127.0.0.1', (int) $port, $errno, $error, 3600);
        $stream or answered(false);
        fwrite($stream, "GET /x HTTP/1.0\r\n\r\n");
        answered(stream_get_contents($stream));
    case 'file':
        answered(file_get_contents("http://127.0.0.1:$port/x"));
    case 'file-tls':
        answered(file_get_contents("https://127.0.0.1:$port/x"));
    case 'curl':
        $curl = curl_init("http://127.0.0.1:$port/x");
        curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
        answered(curl_exec($curl));
    case 'curl-put':
        $curl = curl_init("http://127.0.0.1:$port/x");
        curl_setopt($curl, CURLOPT_UPLOAD, true);
        curl_setopt($curl, CURLOPT_INFILE, fopen($argv[3], 'r'));
        curl_setopt($curl, CURLOPT_INFILESIZE, filesize($argv[3]));
        curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
        answered(curl_exec($curl));
    case 'curl-tls':
        $curl = curl_init("https://127.0.0.1:$port/x");
        curl_setopt($curl, CURLOPT_SSL_VERIFYPEER, false);
        curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
        answered(curl_exec($curl));
    case 'mysqli':
        $mysqli = mysqli_init();
        answered($mysqli->real_connect('127.0.0.1', 'u', 'p', 'd', (int) $port));
}
