/* SPDX-License-Identifier: MIT
 *
 * Client LIBRARY PORT: fetches something from 127.0.0.1:PORT. What goes wrong is an exception that
 * nobody catches: a stack trace, and status 1.
 */
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

public class Client {
    static final int SIZE = 64 << 20;

    static void socket(int port) throws Exception {
        try (Socket socket = new Socket("127.0.0.1", port)) {
            socket.getOutputStream().write("hello\n".getBytes());
            socket.getInputStream().readAllBytes();
        }
    }

    static void channel(int port) throws Exception {
        ByteBuffer buffer = ByteBuffer.allocate(4096);

        try (SocketChannel channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port))) {
            channel.write(ByteBuffer.wrap("hello\n".getBytes()));
            while (channel.read(buffer) >= 0) {
                buffer.clear();
            }
        }
    }

    static HttpURLConnection connection(String scheme, int port) throws Exception {
        return (HttpURLConnection) new URL(scheme + "://127.0.0.1:" + port + "/x").openConnection();
    }

    static void url(String scheme, int port) throws Exception {
        try (InputStream in = connection(scheme, port).getInputStream()) {
            in.readAllBytes();
        }
    }

    static void urlPut(int port) throws Exception {
        HttpURLConnection connection = connection("http", port);

        connection.setRequestMethod("PUT");
        connection.setDoOutput(true);
        connection.setFixedLengthStreamingMode(SIZE);
        try (OutputStream out = connection.getOutputStream()) {
            for (int left = SIZE; left > 0; left -= 65536) {
                out.write(new byte[65536]);
            }
        }
        connection.getInputStream().readAllBytes();
    }

    static void client(String scheme, int port) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        URI uri = URI.create(scheme + "://127.0.0.1:" + port + "/x");

        client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[1]);

        switch (args[0]) {
            case "socket" -> socket(port);
            case "channel" -> channel(port);
            case "url" -> url("http", port);
            case "url-tls" -> url("https", port);
            case "url-put" -> urlPut(port);
            case "client" -> client("http", port);
            case "client-tls" -> client("https", port);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }
}
