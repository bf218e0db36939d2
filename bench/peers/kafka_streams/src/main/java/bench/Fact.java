package bench;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** One fact of the diary: a CloudEvent in structured JSON. The fields of all types stand side by side. */
final class Fact {
  /** The types that there are. */
  enum Type {
    TaskAccepted,
    TaskRejected,
    TaskDispatched,
    TaskExecutionStarted,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskRetryScheduled,
    TaskFailedPermanently,
    TaskRequeued
  }

  /** Why a submission was refused. */
  record FieldError(String pointer, String message) {}

  String id;
  Type type;
  String source;
  String taskId;
  String taskType;
  Raw payload = Raw.NULL;
  Raw policy = Raw.NULL;
  Raw origin = Raw.NULL;
  String originKind;
  String actor;
  String reason;
  List<FieldError> errors = List.of();
  Integer attempt;
  String queue;
  String worker;
  Token token;
  boolean redelivered;
  Raw result = Raw.NULL;
  long durationMs;
  String errorType;
  String message;
  boolean retryable;
  boolean counted = true;
  long notBefore;
  long failures;

  private String specversion;
  private String subject;

  /** The fact in a record, or null if it is none. */
  static Fact read(byte[] key, byte[] value) {
    if (key == null || value == null) {
      return null;
    }
    Fact fact = new Fact();
    try (JsonParser parser = Json.parser(value)) {
      fact.readEnvelope(parser, value);
    } catch (IOException | IllegalArgumentException error) {
      return null;
    }
    boolean whole = "1.0".equals(fact.specversion) && fact.type != null && fact.id != null && fact.subject != null;
    boolean placed = whole && fact.subject.equals(fact.taskId);
    return placed && fact.subject.equals(new String(key, StandardCharsets.UTF_8)) ? fact : null;
  }

  private void readEnvelope(JsonParser parser, byte[] source) throws IOException {
    demand(parser.nextToken() == JsonToken.START_OBJECT);
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "specversion" -> specversion = parser.getText();
        case "id" -> id = parser.getText();
        case "type" -> type = Type.valueOf(parser.getText());
        case "source" -> this.source = parser.getText();
        case "subject" -> subject = parser.getText();
        case "data" -> readData(parser, source);
        default -> parser.skipChildren();
      }
    }
  }

  private void readData(JsonParser parser, byte[] source) throws IOException {
    demand(parser.currentToken() == JsonToken.START_OBJECT);
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "taskId" -> taskId = parser.getText();
        case "taskType" -> taskType = parser.getText();
        case "payload" -> payload = Raw.of(parser, source);
        case "policy" -> policy = readPolicy(parser);
        case "origin" -> readOrigin(parser);
        case "actor" -> actor = parser.getText();
        case "reason" -> reason = parser.getText();
        case "errors" -> errors = readErrors(parser);
        case "attempt" -> attempt = Integer.valueOf(parser.getIntValue());
        case "queue" -> queue = parser.getText();
        case "workerId" -> worker = parser.getText();
        case "token" -> token = Token.read(parser);
        case "redelivered" -> redelivered = parser.getBooleanValue();
        case "result" -> result = Raw.of(parser, source);
        case "durationMs" -> durationMs = parser.getLongValue();
        case "errorType" -> errorType = parser.getText();
        case "message" -> message = parser.getText();
        case "retryable" -> retryable = parser.getBooleanValue();
        case "counted" -> counted = parser.getBooleanValue();
        case "notBefore" -> notBefore = parser.getLongValue();
        case "failures" -> failures = parser.getLongValue();
        default -> parser.skipChildren();
      }
    }
  }

  /** The policy as the table's record has it: its fields in their order. */
  private static Raw readPolicy(JsonParser parser) throws IOException {
    int maxAttempts = 0;
    double[] numbers = new double[5];
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "maxAttempts" -> maxAttempts = parser.getIntValue();
        case "delaySeconds" -> numbers[0] = parser.getDoubleValue();
        case "multiplier" -> numbers[1] = parser.getDoubleValue();
        case "maxDelaySeconds" -> numbers[2] = parser.getDoubleValue();
        case "timeoutSeconds" -> numbers[3] = parser.getDoubleValue();
        case "jitter" -> numbers[4] = parser.getDoubleValue();
        default -> parser.skipChildren();
      }
    }
    final int attempts = maxAttempts;
    return Raw.written(
        json -> {
          json.writeStartArray();
          json.writeNumber(attempts);
          for (double each : numbers) {
            json.writeNumber(each);
          }
          json.writeEndArray();
        });
  }

  private void readOrigin(JsonParser parser) throws IOException {
    String[] texts = new String[2];
    Long[] numbers = new Long[2];
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "kind" -> texts[0] = parser.getText();
        case "topic" -> texts[1] = Json.text(parser);
        case "partition" -> numbers[0] = Json.number(parser);
        case "offset" -> numbers[1] = Json.number(parser);
        default -> parser.skipChildren();
      }
    }
    originKind = texts[0];
    origin =
        Raw.written(
            json -> {
              json.writeStartArray();
              json.writeString(texts[0]);
              json.writeString(texts[1]);
              Json.number(json, numbers[0]);
              Json.number(json, numbers[1]);
              json.writeEndArray();
            });
  }

  private static List<FieldError> readErrors(JsonParser parser) throws IOException {
    List<FieldError> found = new ArrayList<>();
    while (parser.nextToken() == JsonToken.START_OBJECT) {
      String pointer = null;
      String message = null;
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "pointer" -> pointer = parser.getText();
          case "message" -> message = parser.getText();
          default -> parser.skipChildren();
        }
      }
      found.add(new FieldError(pointer, message));
    }
    return found;
  }

  private static void demand(boolean condition) {
    if (!condition) {
      throw new IllegalArgumentException("not a fact");
    }
  }
}
