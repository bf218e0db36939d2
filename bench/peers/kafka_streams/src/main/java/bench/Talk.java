package bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Lines of JSON to and from the process that started this one. When that one goes, so does this. */
final class Talk {
  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
  private final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

  /** The first line: the settings of this run. */
  Map<String, String> settings() throws IOException {
    String line = in.readLine();
    if (line == null) {
      throw new IOException("no settings");
    }
    Thread listener = new Thread(this::listen, "listener");
    listener.setDaemon(true);
    listener.start();
    return Json.texts(line);
  }

  /** Wait for the next command: an object whose member "do" says what. */
  Map<String, String> next() throws IOException, InterruptedException {
    return Json.texts(heard.take());
  }

  void say(String event, Map<String, ? extends Number> figures) throws IOException {
    byte[] line =
        Json.bytes(
            json -> {
              json.writeStartObject();
              json.writeStringField("event", event);
              for (Map.Entry<String, ? extends Number> each : figures.entrySet()) {
                json.writeNumberField(each.getKey(), each.getValue().doubleValue());
              }
              json.writeEndObject();
            });
    System.out.println(new String(line, StandardCharsets.UTF_8));
    System.out.flush();
  }

  private void listen() {
    try {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        heard.add(line);
      }
    } catch (IOException error) {
      System.err.println("nobody to listen to: " + error);
    }
    Runtime.getRuntime().halt(3);
  }
}
