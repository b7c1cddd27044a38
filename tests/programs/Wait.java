/* SPDX-License-Identifier: MIT
 * A blocking Java client without a timeout: `java Wait.java PORT` waits for one byte.
 */
import java.io.IOException;
import java.net.Socket;

public class Wait {
    public static void main(String[] arguments) {
        try (Socket socket = new Socket("127.0.0.1", Integer.parseInt(arguments[0]))) {
            System.out.println("got " + socket.getInputStream().read());
        } catch (IOException e) {
            System.err.println("Wait: " + e.getMessage());
            System.exit(1);
        }
    }
}
