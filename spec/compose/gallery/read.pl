#!/usr/bin/perl
# Reads the messages of a folder with MIME::Tools and MailTools: read.pl FOLDER HEADER…
use strict;
use warnings;
use Date::Parse qw(str2time);
use Encode qw(decode encode_utf8);
use Mail::Address;
use MIME::Parser;

my ($folder, @headers) = @ARGV;
my $parser = MIME::Parser->new;
$parser->output_to_core(1);
$parser->tmp_to_core(1);
$parser->extract_nested_messages(0);

sub show {
   my ($key, $bytes) = @_;
   return unless defined $bytes;
   $bytes =~ s/([^\x20-\x5b\x5d-\x7e])/sprintf '\\x%02x', ord $1/ge;
   print "$key\t$bytes\n";
}

# Encoded words, as UTF-8.
sub words {
   my ($text) = @_;
   return $text unless defined $text && $text =~ /=\?/;
   return encode_utf8(decode('MIME-Header', $text));
}

sub field {
   my ($head, $name) = @_;
   my $text = $head->get($name);
   return undef unless defined $text;
   $text =~ s/\r?\n(?=[ \t])//g;
   $text =~ s/\r?\n\z//;
   return $text;
}

sub name_of {
   my ($phrase) = @_;
   return words($phrase) unless $phrase =~ s/\A"(.*)"\z/$1/s;
   $phrase =~ s/\\(.)/$1/gs;
   return $phrase;
}

sub addresses {
   my ($head, $name) = @_;
   my $text = field($head, $name);
   return '' unless defined $text;
   return join '; ', map { (length $_->phrase ? name_of($_->phrase) . '|' : '') . $_->address }
      grep { defined $_->address && $_->address =~ /\@/ } Mail::Address->parse($text);
}

sub structure {
   my ($part) = @_;
   return $part->mime_type unless $part->is_multipart;
   my ($subtype) = $part->mime_type =~ m{/(.*)};
   return "$subtype(" . join(' ', map { structure($_) } $part->parts) . ')';
}

sub leaves {
   my ($part) = @_;
   return $part->is_multipart ? map { leaves($_) } $part->parts : $part;
}

sub show_part {
   my ($number, $part) = @_;
   my $head = $part->head;
   show("$number.type", $part->mime_type);
   show("$number.charset", $head->mime_attr('content-type.charset'));
   show("$number.disposition", $head->mime_attr('content-disposition'));
   show("$number.name", words(scalar $head->mime_attr('content-disposition.filename')));
   show("$number.plain name", words(scalar $head->mime_attr('content-type.name')));
   my $id = field($head, 'Content-ID');
   show("$number.id", defined $id ? $id =~ s/^ *<|> *$//gr : undef);
   show("$number.method", $head->mime_attr('content-type.method'));
   show("$number.content", $part->bodyhandle->as_string);
}

for my $path (sort glob "$folder/*.eml") {
   print '= ', $path =~ s{.*/}{}r, "\n";
   my $message = $parser->parse_open($path);
   my $head = $message->head;
   show('subject', words(field($head, 'Subject')));
   show($_, addresses($head, $_)) for qw(from sender reply-to to cc);
   show('date', int str2time(field($head, 'Date')));
   show($_, field($head, $_)) for qw(message-id in-reply-to references);
   show("header $_", words(field($head, $_))) for @headers;
   show('structure', structure($message));
   my $number = 0;
   show_part(++$number, $_) for leaves($message);
}
