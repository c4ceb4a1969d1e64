<?php // Symfony Mailer. symfony.php WORKLOAD PORT COUNT FILE
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
require_once '/usr/share/php/Symfony/Component/Mime/autoload.php';

use Symfony\Component\Mailer\Envelope;
use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;
use Symfony\Component\Mime\RawMessage;

[, $workload, $port, $count, $path] = $argv;

function message($path, $workload) {
   if ($workload !== 'attach') {
      return new RawMessage(file_get_contents($path));
   }
   return (new Email())->from('ann@me.example')->to('bob@there.example')->subject('see the file')
      ->text('see the file')->attachFromPath($path);
}

$envelope = new Envelope(new Address('ann@me.example'), [new Address('bob@there.example')]);
$transport = new EsmtpTransport('127.0.0.1', (int) $port, false);
$transport->setLocalDomain('[127.0.0.1]');
$transport->setRestartThreshold(PHP_INT_MAX);
for ($i = 0; $i < (int) $count; $i++) {
   $transport->send(message($path, $workload), $envelope);
}
