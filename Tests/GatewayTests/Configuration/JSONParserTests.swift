import Gateway
import Testing

@Suite struct JSONParserTests {
    private func parse(_ text: String, json5: Bool = false) throws -> JSONValue {
        try JSONValue(parsing: text.utf8, json5: json5)
    }

    @Test(arguments: [
        #"{"b":1,"a":[true,false,null,-2.5,"x"],"c":{}}"#, "[]", "{}", "0", "-1", #""""#, "[[[]]]",
        #"["\"\\/\b\f\n\r\t"]"#, "9223372036854775807", "-9223372036854775808", #""大门""#,
    ])
    func whatIsReadIsWrittenTheSame(_ text: String) throws {
        let value = try parse(text)
        #expect(try parse(value.text) == value)
        #expect(try parse(" \r\n\t\(text)\n") == value)
        #expect(try parse("\u{FEFF}\(text)") == value)
        #expect(try parse(text, json5: true) == value)
    }

    @Test func membersKeepTheirOrder() throws {
        #expect(try parse(#"{"z":1,"a":2,"z":3}"#).text == #"{"z":3,"a":2}"#)
    }

    @Test func escapesBecomeCharacters() throws {
        #expect(try parse(#""\u5927\u0041\ud83d\ude00""#) == .string("大A😀"))
        #expect(try parse(#""\ud83dx\ude00""#) == .string("\u{FFFD}x\u{FFFD}"))
        #expect(try parse(#""\ud83d\u0041""#) == .string("\u{FFFD}A"))
        #expect(JSONValue.string("a\u{1}\"\\\u{2028}").text == #""a\u0001\"\\\u2028""#)
    }

    @Test(arguments: [
        ("", 1, 1), ("{", 1, 2), ("[1,]", 1, 4), ("{\"a\":1,}", 1, 8), ("{a:1}", 1, 2), ("'a'", 1, 1), ("nul", 1, 1),
        ("truex", 1, 1), ("01", 1, 3), ("1.", 1, 3), ("1e", 1, 3), ("-", 1, 2), ("+1", 1, 1), (".5", 1, 1),
        ("1 2", 1, 3), ("{\n  \"a\" 1\n}", 2, 7), ("[1\n 2]", 2, 2), ("\"a\nb\"", 1, 3), ("\n\"abc", 2, 1),
        ("\"\\x\"", 1, 3), ("\"\\u12g4\"", 1, 6), ("// c\n1", 1, 1), ("1e999", 1, 6), ("[1]]", 1, 4), ("\"\t\"", 1, 2),
    ])
    func mistakesAreToldWithTheirPlace(_ text: String, _ line: Int, _ column: Int) throws {
        let error = #expect(throws: JSONTextError.self) { try parse(text) }
        #expect(error?.line == line && error?.column == column, "\(error.map(String.init(describing:)) ?? "")")
    }

    @Test func commentsCommasAndBareNamesAreJSON5() throws {
        let text = "/* a */ { // b\n rtmp: { 'addr': ':1', \"n\": [1, 2, /* ] */], }, $x_1: 'it\\'s \"', } // end"
        #expect(try parse(text, json5: true).text == #"{"rtmp":{"addr":":1","n":[1,2]},"$x_1":"it's \""}"#)
        #expect(throws: JSONTextError.self) { try parse("{,}", json5: true) }
        #expect(throws: JSONTextError.self) { try parse("[1,,2]", json5: true) }
        let error = #expect(throws: JSONTextError.self) { try parse("1 \n /* x", json5: true) }
        #expect(error?.description == "line 2, column 2: the comment has no end")
    }

    @Test func bytesThatAreNoUTF8AreRefused() {
        #expect(throws: JSONTextError.self) { try JSONValue(parsing: [0x22, 0xC3, 0x22]) }
        #expect(throws: JSONTextError.self) { try JSONValue(parsing: [0xFF, 0xFE, 0x7B, 0x00]) }
    }

    @Test func theDepthIsLimited() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try parse(nested(32))
        #expect(throws: JSONTextError.self) { try parse(nested(33)) }
        #expect(throws: JSONTextError.self) { try parse(String(repeating: "[{\"a\":", count: 100_000)) }
    }

    @Test func noPrefixOfADocumentTraps() {
        let text = Array(##"{"a":[1,-2.5e+3,"\u5927\n",true,null],"b":{"c":'x'},/* y */ d:// z"##.utf8)
        for end in text.indices {
            for json5 in [true, false] {
                #expect(throws: JSONTextError.self) { try JSONValue(parsing: text[..<end], json5: json5) }
            }
        }
    }
}
