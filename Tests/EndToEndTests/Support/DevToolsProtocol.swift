import Foundation

/// What commands are given: JSON.
enum DevToolsParameter: Codable, Sendable, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByDictionaryLiteral
{
    case text(String)
    case number(Double)
    case truth(Bool)
    case list([DevToolsParameter])
    case members([String: DevToolsParameter])
    case nothing

    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .truth(value) }
    init(integerLiteral value: Int) { self = .number(Double(value)) }
    init(dictionaryLiteral elements: (String, DevToolsParameter)...) {
        self = .members(Dictionary(elements) { _, last in last })
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Bool.self) {
            self = .truth(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([DevToolsParameter].self) {
            self = .list(value)
        } else if let value = try? container.decode([String: DevToolsParameter].self) {
            self = .members(value)
        } else {
            self = .nothing
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        // Some commands take no fraction where they expect an integer.
        case .number(let value):
            if let integer = Int(exactly: value) { try container.encode(integer) } else { try container.encode(value) }
        case .truth(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .members(let value): try container.encode(value)
        case .nothing: try container.encodeNil()
        }
    }
}

struct DevToolsCommand: Encodable {
    var id: Int
    var method: String
    var params: [String: DevToolsParameter]
    var sessionId: String?
}

/// An answer has an `id`, an event a `method`.
struct DevToolsHead: Decodable {
    var id: Int?
    var method: String?
}

struct DevToolsAnswer<Value: Decodable>: Decodable {
    struct Refusal: Decodable { var message: String }
    var result: Value?
    var error: Refusal?
}

struct DevToolsEvent<Parameters: Decodable>: Decodable {
    var params: Parameters
}

struct DevToolsException: Decodable {
    struct Thrown: Decodable {
        var description: String?
        var value: DevToolsParameter?
    }
    var exception: Thrown?
    private var summary: String

    private enum CodingKeys: String, CodingKey {
        case exception
        case summary = "text"
    }

    var text: String { exception?.description ?? exception?.value.map { "\(summary) \($0)" } ?? summary }
}

/// What a page should never do: events that tell of faults.
enum DevToolsProblem {
    private struct Call: Decodable {
        struct Argument: Decodable {
            var value: DevToolsParameter?
            var description: String?
        }
        var type: String
        var args: [Argument]
    }

    private struct Thrown: Decodable { var exceptionDetails: DevToolsException }

    private struct Entry: Decodable {
        struct Line: Decodable {
            var level: String
            var text: String
            var url: String?
        }
        var entry: Line
    }

    static func text(_ method: String, _ message: Data) -> String? {
        switch method {
        case "Runtime.consoleAPICalled":
            guard let call = parameters(Call.self, message), ["error", "warning", "assert"].contains(call.type) else {
                return nil
            }
            let words = call.args.map { argument -> String in
                if case .text(let text)? = argument.value { return text }
                return argument.description ?? argument.value.map { "\($0)" } ?? ""
            }
            return "console.\(call.type): \(words.joined(separator: " "))"
        case "Runtime.exceptionThrown":
            return parameters(Thrown.self, message).map { "exception: \($0.exceptionDetails.text)" }
        case "Log.entryAdded":
            guard let entry = parameters(Entry.self, message)?.entry, ["error", "warning"].contains(entry.level) else {
                return nil
            }
            return "\(entry.level): \(entry.text) \(entry.url ?? "")"
        default:
            return nil
        }
    }

    private static func parameters<Value: Decodable>(_ type: Value.Type, _ message: Data) -> Value? {
        (try? JSONDecoder().decode(DevToolsEvent<Value>.self, from: message))?.params
    }
}

/// Keys by the names that a page sees.
enum DevToolsKey {
    private static let named: [String: (number: Int, text: String)] = [
        "Backspace": (8, ""), "Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " "),
        "PageUp": (33, ""), "PageDown": (34, ""), "End": (35, ""), "Home": (36, ""), "ArrowLeft": (37, ""),
        "ArrowUp": (38, ""), "ArrowRight": (39, ""), "ArrowDown": (40, ""), "Delete": (46, ""),
    ]

    static func number(_ key: String) -> Int {
        named[key]?.number ?? key.uppercased().utf8.first.map(Int.init) ?? 0
    }

    static func text(_ key: String) -> String {
        named[key]?.text ?? (key.count == 1 ? key : "")
    }

    static func code(_ key: String) -> String {
        if key == " " { return "Space" }
        guard key.count == 1, let character = key.first else { return key }
        if character.isNumber { return "Digit\(key)" }
        return character.isLetter ? "Key\(key.uppercased())" : ""
    }
}
