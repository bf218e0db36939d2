package bench;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** State with full history, folded as streamapp/domain/task.py folds it. */
final class Task {
  /** One fact in the history. */
  record Entry(
      long offset, long at, String fact, String id, String source, Long attempt, String worker, Raw detail) {}

  /** What was odd about the fact at an offset. */
  record Anomaly(long offset, String fact, String reason) {}

  static final int MAX_HISTORY = 200;
  static final int MAX_DETAIL_BYTES = 1024;
  static final int MAX_DETAIL_ERRORS = 5;
  static final int MAX_ERROR_BYTES = 200;

  final String taskId;
  long offset = -1;
  final Progress progress = new Progress();
  String type;
  Raw payload = Raw.NULL;
  Raw policy = Raw.NULL;
  Raw origin = Raw.NULL;
  Long acceptedAt;
  Long endedAt;
  Long notBefore;
  Raw result = Raw.NULL;
  final List<Entry> history = new ArrayList<>();
  final List<Anomaly> anomalies = new ArrayList<>();
  long duplicates;
  long dropped;

  Task(String taskId) {
    this.taskId = taskId;
  }

  /** Fold one fact. {@code at} is the broker's time in milliseconds. */
  void apply(Fact fact, long factOffset, long at) throws IOException {
    if (factOffset <= offset) {
      return;
    }
    offset = factOffset;
    if (seen(fact)) {
      duplicates++;
      return;
    }
    final boolean accepted = progress.acceptedId != null;
    final boolean wasTerminal = progress.terminal();
    final Progress.State state = progress.state;
    final int attempt = progress.attempt;
    String odd = progress.advance(fact);
    final boolean moved = progress.state != state || progress.attempt != attempt;
    if (history.size() >= MAX_HISTORY) {
      dropped++;
    } else {
      history.add(entry(fact, at, moved ? progress.attempt : null));
      if (odd != null) {
        anomalies.add(new Anomaly(offset, fact.type.name(), odd));
      }
    }
    if (fact.type == Fact.Type.TaskAccepted && !accepted) {
      type = fact.taskType;
      payload = fact.payload;
      policy = fact.policy;
      origin = fact.origin;
      acceptedAt = at;
    }
    if (progress.terminal() && !wasTerminal) {
      endedAt = at;
      if (fact.type == Fact.Type.TaskExecutionCompleted) {
        result = fact.result;
      }
    }
    if (fact.type == Fact.Type.TaskRequeued && moved) {
      endedAt = null;
      notBefore = at;
    } else if (fact.type == Fact.Type.TaskRetryScheduled && moved) {
      notBefore = fact.notBefore;
    } else if (progress.state != Progress.State.RETRY_SCHEDULED) {
      notBefore = null;
    }
  }

  private boolean seen(Fact fact) {
    if (fact.type == Fact.Type.TaskRequeued) {
      return progress.requeued.contains(fact.id);
    }
    for (Entry entry : history) {
      if (entry.id().equals(fact.id)) {
        return true;
      }
    }
    return false;
  }

  /** {@code opened}: the attempt that a requeue has led to, which carries none itself. */
  private Entry entry(Fact fact, long at, Integer opened) throws IOException {
    Integer told = fact.type == Fact.Type.TaskRequeued ? opened : fact.attempt;
    Long attempt = told == null ? null : Long.valueOf(told);
    return new Entry(offset, at, fact.type.name(), fact.id, fact.source, attempt, fact.worker, detail(fact));
  }

  private static Raw detail(Fact fact) throws IOException {
    return Raw.written(
        json -> {
          json.writeStartObject();
          writeDetail(json, fact);
          json.writeEndObject();
        });
  }

  private static void writeDetail(JsonGenerator json, Fact fact) throws IOException {
    switch (fact.type) {
      case TaskAccepted -> {
        json.writeStringField("type", fact.taskType);
        json.writeStringField("origin", fact.originKind);
      }
      case TaskRejected -> {
        json.writeStringField("reason", cut(fact.reason, MAX_DETAIL_BYTES));
        json.writeArrayFieldStart("errors");
        for (Fact.FieldError error : fact.errors.subList(0, Math.min(fact.errors.size(), MAX_DETAIL_ERRORS))) {
          json.writeStartObject();
          json.writeStringField("pointer", cut(error.pointer(), MAX_ERROR_BYTES));
          json.writeStringField("message", cut(error.message(), MAX_ERROR_BYTES));
          json.writeEndObject();
        }
        json.writeEndArray();
        json.writeStringField("origin", fact.originKind);
      }
      case TaskDispatched -> json.writeStringField("queue", fact.queue);
      case TaskExecutionStarted -> {
        writeToken(json, fact.token);
        json.writeBooleanField("redelivered", fact.redelivered);
      }
      case TaskExecutionCompleted -> {
        writeToken(json, fact.token);
        json.writeNumberField("durationMs", fact.durationMs);
      }
      case TaskExecutionFailed -> {
        writeToken(json, fact.token);
        json.writeNumberField("durationMs", fact.durationMs);
        json.writeStringField("errorType", cut(fact.errorType, MAX_DETAIL_BYTES));
        json.writeStringField("message", cut(fact.message, MAX_DETAIL_BYTES));
        json.writeBooleanField("retryable", fact.retryable);
        json.writeBooleanField("counted", fact.counted);
      }
      case TaskRetryScheduled -> {
        json.writeNumberField("notBefore", fact.notBefore);
        json.writeStringField("reason", cut(fact.reason, MAX_DETAIL_BYTES));
        json.writeNumberField("failures", fact.failures);
      }
      case TaskFailedPermanently -> json.writeStringField("reason", cut(fact.reason, MAX_DETAIL_BYTES));
      case TaskRequeued -> {
        json.writeStringField("actor", cut(fact.actor, MAX_DETAIL_BYTES));
        json.writeStringField("reason", cut(fact.reason, MAX_DETAIL_BYTES));
      }
    }
  }

  private static void writeToken(JsonGenerator json, Token token) throws IOException {
    json.writeNumberField("epoch", token.epoch());
    json.writeNumberField("claim", token.claim());
  }

  /** The text as UTF-8 of at most so many bytes, with a marker where something was left out. */
  static String cut(String text, int limit) throws IOException {
    if (text.length() * 3 <= limit) {
      return text;
    }
    byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
    if (encoded.length <= limit) {
      return text;
    }
    String marker = "… [" + encoded.length + " bytes]";
    int kept = Math.max(limit - marker.getBytes(StandardCharsets.UTF_8).length, 0);
    ByteBuffer head = ByteBuffer.wrap(Arrays.copyOf(encoded, kept));
    return StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.IGNORE).decode(head) + marker;
  }
}
