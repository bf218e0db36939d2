package bench;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** Fencing token of one claim: a higher one was issued later. */
record Token(long epoch, long claim) implements Comparable<Token> {
  @Override
  public int compareTo(Token other) {
    int first = Long.compare(epoch, other.epoch);
    return first != 0 ? first : Long.compare(claim, other.claim);
  }

  static Token read(JsonParser parser) throws IOException {
    long epoch = 0;
    long claim = 0;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "epoch" -> epoch = parser.getLongValue();
        case "claim" -> claim = parser.getLongValue();
        default -> parser.skipChildren();
      }
    }
    return new Token(epoch, claim);
  }

  /** As the table's record has it. */
  static Token readFields(JsonParser parser) throws IOException {
    long epoch = parser.nextLongValue(0);
    long claim = parser.nextLongValue(0);
    parser.nextToken();
    return new Token(epoch, claim);
  }

  void write(JsonGenerator json) throws IOException {
    json.writeStartArray();
    json.writeNumber(epoch);
    json.writeNumber(claim);
    json.writeEndArray();
  }
}
