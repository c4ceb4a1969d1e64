"""What the composers of this folder compose, below build/bench/compose: texts, a newsletter, keys."""
import os
import random
import subprocess

FOLDER = 'build/bench/compose'
WORDS = {
    'ascii': 'the garden rests in winter while we plan the beds for spring and order seeds early',
    'german': 'der Garten ruht im Winter während wir die Beete für das Frühjahr planen und früh bestellen',
    'russian': 'зимой сад отдыхает а мы готовим грядки к весне и заранее заказываем семена',
}
NAMES = {'ascii': 'ASCII', 'german': 'German', 'russian': 'Russian'}
ENCODINGS = {'ascii': '7bit', 'german': 'quoted-printable', 'russian': 'base64'}


def words(language, size):
    """Lines of up to 72 characters, of words in no order that a processor could learn."""
    out, line, total = [], '', 0
    while total < size:
        word = random.choice(WORDS[language].split())
        if len(line) + len(word) > 71:
            out.append(line + '\n')
            total += len(out[-1].encode())
            line = ''
        line += ' ' * bool(line) + word
    return ''.join(out)


def write(name, content):
    with open(f'{FOLDER}/{name}', 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def prepare():
    os.makedirs(FOLDER, exist_ok=True)
    random.seed(1)
    for language in WORDS:
        write(language, words(language, 1 << 20))
    paragraphs = ''.join('<p style="margin:0 0 12px">%s</p>\n' % words('german', 700) for _ in range(14))
    write('news.txt', words('german', 3000))
    write('news.html', '<html><body><img src="cid:logo" alt="Logo">\n%s</body></html>\n' % paragraphs)
    write('news.png', b'\x89PNG\r\n\x1a\n' + random.randbytes(6000))
    for name, how in ('rsa', ['-algorithm', 'rsa', '-pkeyopt', 'rsa_keygen_bits:2048']), (
            'ed25519', ['-algorithm', 'ed25519']):
        if not os.path.exists(f'{FOLDER}/{name}.pem'):
            subprocess.run(['openssl', 'genpkey', *how, '-out', f'{FOLDER}/{name}.pem'], check=True,
                           stderr=subprocess.DEVNULL)


def read(name):
    with open(f'{FOLDER}/{name}', 'rb') as file:
        return file.read()
