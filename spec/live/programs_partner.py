"""A door to the sink at port 25 for clients with a certificate: programs_partner.py CA CERTIFICATE KEY."""
import socket, ssl, sys, threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
context.load_verify_locations(sys.argv[1])
context.verify_mode = ssl.CERT_REQUIRED


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    target.close()


def serve(peer):
    try:
        peer = context.wrap_socket(peer, server_side=True)
        peer.do_handshake()
    except OSError as problem:
        print("TLS", problem, flush=True)
        return peer.close()
    inner = socket.create_connection(("127.0.0.1", 25))
    threading.Thread(target=copy, args=(inner, peer), daemon=True).start()
    copy(peer, inner)


listener = socket.create_server(("127.0.0.2", 465))
print("ready partner", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
