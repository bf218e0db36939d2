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
      json.writeStartArray();
      json.writeNumber(anomaly.offset());
      json.writeString(anomaly.fact());
      json.writeString(anomaly.reason());
      json.writeEndArray();
    }
    json.writeEndArray();
    json.writeNumberField("duplicates", task.duplicates);
    json.writeNumberField("dropped", task.dropped);
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, Progress progress) throws IOException {
    json.writeStartArray();
    json.writeString(progress.state.name());
    json.writeNumber(progress.attempt);
    json.writeString(progress.acceptedId);
    json.writeNumber(progress.failures);
    json.writeStartObject();
    for (Map.Entry<Integer, Token> each : progress.tokens.entrySet()) {
      json.writeFieldName(each.getKey().toString());
      each.getValue().write(json);
    }
    json.writeEndObject();
    json.writeNumber(progress.firstAttempt);
    json.writeNumber(progress.toldAfterEnd);
    json.writeNumber(progress.requeues);
    json.writeStartArray();
    for (String id : progress.requeued) {
      json.writeString(id);
    }
    json.writeEndArray();
    json.writeEndArray();
  }

  private static void write(JsonGenerator json, Task.Entry entry) throws IOException {
    json.writeStartArray();
    json.writeNumber(entry.offset());
    json.writeNumber(entry.at());
    json.writeString(entry.fact());
    json.writeString(entry.id());
    json.writeString(entry.source());
    Json.number(json, entry.attempt());
    json.writeString(entry.worker());
    entry.detail().write(json);
    json.writeEndArray();
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
        while (parser.nextToken() == JsonToken.START_ARRAY) {
          task.history.add(readEntry(parser, record));
        }
      }
      case "anomalies" -> {
        while (parser.nextToken() == JsonToken.START_ARRAY) {
          task.anomalies.add(readAnomaly(parser));
        }
      }
      case "duplicates" -> task.duplicates = parser.getLongValue();
      case "dropped" -> task.dropped = parser.getLongValue();
      default -> parser.skipChildren();
    }
  }

  private static void readProgress(JsonParser parser, Progress progress) throws IOException {
    progress.state = Progress.State.valueOf(parser.nextTextValue());
    progress.attempt = parser.nextIntValue(0);
    progress.acceptedId = parser.nextTextValue();
    progress.failures = parser.nextLongValue(0);
    parser.nextToken();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      Integer attempt = Integer.valueOf(parser.currentName());
      parser.nextToken();
      progress.tokens.put(attempt, Token.readFields(parser));
    }
    progress.firstAttempt = parser.nextIntValue(0);
    progress.toldAfterEnd = parser.nextIntValue(0);
    progress.requeues = parser.nextLongValue(0);
    parser.nextToken();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      progress.requeued.add(parser.getText());
    }
    parser.nextToken();
  }

  private static Task.Entry readEntry(JsonParser parser, byte[] record) throws IOException {
    final long offset = parser.nextLongValue(0);
    final long at = parser.nextLongValue(0);
    final String fact = parser.nextTextValue();
    final String id = parser.nextTextValue();
    final String source = parser.nextTextValue();
    parser.nextToken();
    final Long attempt = Json.number(parser);
    final String worker = parser.nextTextValue();
    parser.nextToken();
    final Raw detail = Raw.of(parser, record);
    parser.nextToken();
    return new Task.Entry(offset, at, fact, id, source, attempt, worker, detail);
  }

  private static Task.Anomaly readAnomaly(JsonParser parser) throws IOException {
    final long offset = parser.nextLongValue(0);
    final String fact = parser.nextTextValue();
    final String reason = parser.nextTextValue();
    parser.nextToken();
    return new Task.Anomaly(offset, fact, reason);
  }
}
