// SPDX-License-Identifier: MIT
// Serve: the JDK's own HTTP server on a free port of loopback, which it prints.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

class Serve {
    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 16);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 3);
            exchange.getResponseBody().write("ok\n".getBytes());
            exchange.close();
        });
        server.start();
        System.out.println("port " + server.getAddress().getPort());
    }
}
