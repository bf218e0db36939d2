package bench;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.Map;

/** A task as the record of a table, in the form of tables/tasks.py. */
final class TaskRecord {
  private TaskRecord() {}

  static byte[] encode(Task task) throws IOException {
    return Json.bytes(json -> write(json, task));
  }

  static Task decode(String taskId, byte[] record) throws IOException {
    Task task = new Task(taskId);
    try (JsonParser parser = Json.parser(record)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        read(parser, name, record, task);
      }
    }
    return task;
  }

  private static void write(JsonGenerator json, Task task) throws IOException {
    json.writeStartObject();
    json.writeStringField("task_id", task.taskId);
    json.writeNumberField("offset", task.offset);
    json.writeFieldName("progress");
    write(json, task.progress);
    json.writeStringField("type", task.type);
    writeRaw(json, "payload", task.payload);
    writeRaw(json, "policy", task.policy);
    writeRaw(json, "origin", task.origin);
    Json.number(json, "accepted_at", task.acceptedAt);
    Json.number(json, "ended_at", task.endedAt);
    Json.number(json, "not_before", task.notBefore);
    writeRaw(json, "result", task.result);
    json.writeArrayFieldStart("history");
    for (Task.Entry entry : task.history) {
      write(json, entry);
    }
    json.writeEndArray();
    json.writeArrayFieldStart("anomalies");
    for (Task.Anomaly anomaly : task.anomalies) {
      json.writeStartObject();
      json.writeNumberField("offset", anomaly.offset());
      json.writeStringField("fact", anomaly.fact());
      json.writeStringField("reason", anomaly.reason());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeNumberField("duplicates", task.duplicates);
    json.writeNumberField("dropped", task.dropped);
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, Progress progress) throws IOException {
    json.writeStartObject();
    json.writeStringField("state", progress.state.name());
    json.writeNumberField("attempt", progress.attempt);
    json.writeStringField("accepted_id", progress.acceptedId);
    json.writeNumberField("failures", progress.failures);
    json.writeObjectFieldStart("tokens");
    for (Map.Entry<Integer, Token> each : progress.tokens.entrySet()) {
      json.writeFieldName(each.getKey().toString());
      each.getValue().write(json);
    }
    json.writeEndObject();
    json.writeNumberField("first_attempt", progress.firstAttempt);
    json.writeNumberField("told_after_end", progress.toldAfterEnd);
    json.writeNumberField("requeues", progress.requeues);
    json.writeArrayFieldStart("requeued");
    for (String id : progress.requeued) {
      json.writeString(id);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, Task.Entry entry) throws IOException {
    json.writeStartObject();
    json.writeNumberField("offset", entry.offset());
    json.writeNumberField("at", entry.at());
    json.writeStringField("fact", entry.fact());
    json.writeStringField("id", entry.id());
    json.writeStringField("source", entry.source());
    Json.number(json, "attempt", entry.attempt());
    json.writeStringField("worker", entry.worker());
    writeRaw(json, "detail", entry.detail());
    json.writeEndObject();
  }

  private static void writeRaw(JsonGenerator json, String name, Raw value) throws IOException {
    json.writeFieldName(name);
    value.write(json);
  }

  private static void read(JsonParser parser, String name, byte[] record, Task task) throws IOException {
    switch (name) {
      case "offset" -> task.offset = parser.getLongValue();
      case "progress" -> readProgress(parser, task.progress);
      case "type" -> task.type = Json.text(parser);
      case "payload" -> task.payload = Raw.of(parser, record);
      case "policy" -> task.policy = Raw.of(parser, record);
      case "origin" -> task.origin = Raw.of(parser, record);
      case "accepted_at" -> task.acceptedAt = Json.number(parser);
      case "ended_at" -> task.endedAt = Json.number(parser);
      case "not_before" -> task.notBefore = Json.number(parser);
      case "result" -> task.result = Raw.of(parser, record);
      case "history" -> {
        while (parser.nextToken() == JsonToken.START_OBJECT) {
          task.history.add(readEntry(parser, record));
        }
      }
      case "anomalies" -> {
        while (parser.nextToken() == JsonToken.START_OBJECT) {
          task.anomalies.add(readAnomaly(parser));
        }
      }
      case "duplicates" -> task.duplicates = parser.getLongValue();
      case "dropped" -> task.dropped = parser.getLongValue();
      default -> parser.skipChildren();
    }
  }

  private static void readProgress(JsonParser parser, Progress progress) throws IOException {
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "state" -> progress.state = Progress.State.valueOf(parser.getText());
        case "attempt" -> progress.attempt = parser.getIntValue();
        case "accepted_id" -> progress.acceptedId = Json.text(parser);
        case "failures" -> progress.failures = parser.getLongValue();
        case "tokens" -> {
          while (parser.nextToken() == JsonToken.FIELD_NAME) {
            Integer attempt = Integer.valueOf(parser.currentName());
            parser.nextToken();
            progress.tokens.put(attempt, Token.read(parser));
          }
        }
        case "first_attempt" -> progress.firstAttempt = parser.getIntValue();
        case "told_after_end" -> progress.toldAfterEnd = parser.getIntValue();
        case "requeues" -> progress.requeues = parser.getLongValue();
        case "requeued" -> {
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            progress.requeued.add(parser.getText());
          }
        }
        default -> parser.skipChildren();
      }
    }
  }

  private static Task.Entry readEntry(JsonParser parser, byte[] record) throws IOException {
    long offset = 0;
    long at = 0;
    String fact = null;
    String id = null;
    String source = null;
    Long attempt = null;
    String worker = null;
    Raw detail = Raw.NULL;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "offset" -> offset = parser.getLongValue();
        case "at" -> at = parser.getLongValue();
        case "fact" -> fact = parser.getText();
        case "id" -> id = parser.getText();
        case "source" -> source = parser.getText();
        case "attempt" -> attempt = Json.number(parser);
        case "worker" -> worker = Json.text(parser);
        case "detail" -> detail = Raw.of(parser, record);
        default -> parser.skipChildren();
      }
    }
    return new Task.Entry(offset, at, fact, id, source, attempt, worker, detail);
  }

  private static Task.Anomaly readAnomaly(JsonParser parser) throws IOException {
    long offset = 0;
    String fact = null;
    String reason = null;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "offset" -> offset = parser.getLongValue();
        case "fact" -> fact = parser.getText();
        case "reason" -> reason = parser.getText();
        default -> parser.skipChildren();
      }
    }
    return new Task.Anomaly(offset, fact, reason);
  }
}
