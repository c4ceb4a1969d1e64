<?php // Symfony Mailer and Mime, led as ours.lua is: symfony.php WORKLOAD FOLDER [PORT]
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
require_once '/usr/share/php/Symfony/Component/Mime/autoload.php';

use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Crypto\DkimSigner;
use Symfony\Component\Mime\Email;
use Symfony\Component\Mime\Part\DataPart;

[, $workload, $folder] = $argv;
[$kind, $argument] = explode(':', $workload . ':');
$read = fn ($name) => file_get_contents("$folder/$name");
$text = $kind === 'text' ? $read($argument)
   : ($kind === 'newsletter' ? $read('news.txt') : "Hello Bob,\n\nlunch at noon?\n\nAnn\n");
$html = $kind === 'newsletter' ? $read('news.html') : null;
$image = $kind === 'newsletter' ? $read('news.png') : null;
$signer = $kind === 'newsletter' && $argument ? new DkimSigner($read("$argument.pem"), 'me.example', $argument) : null;

function message() {
   global $text, $html, $image, $signer;
   $message = (new Email())->from(new Address('ann@me.example', 'Ann Lee'))->to(new Address('bob@there.example', 'Bob'))
      ->subject('Garden News')->text($text);
   if ($html) {
      $message->html($html)->embed($image, 'logo', 'image/png');
   }
   return $signer ? $signer->sign($message) : $message;
}

function used() {
   $usage = getrusage();
   return $usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec'] + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) / 1e6;
}

if (isset($argv[3])) {
   $transport = new EsmtpTransport('127.0.0.1', (int) $argv[3], false);
   $transport->setLocalDomain('[127.0.0.1]');
   $transport->setRestartThreshold(PHP_INT_MAX);
}
while (($line = fgets(STDIN)) !== false) {
   $before = used();
   if (strncmp($line, 'show ', 5) === 0) {
      file_put_contents(trim(substr($line, 5)), message()->toString());
   }
   for ($i = (int) $line; $i > 0; $i--) {
      if (isset($transport)) {
         $transport->send(message());
      } else {
         foreach (message()->toIterable() as $piece);
      }
   }
   printf("%.9f\n", used() - $before);
   flush();
}
