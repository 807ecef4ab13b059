/// Lays a file's tree and the environment over the defaults, and says what did not fit.
struct ConfigurationOverlay {
    let schema: ConfigurationSchema
    private(set) var tree: JSONValue
    private(set) var problems: [ConfigurationProblem] = []
    private let secretPaths: Set<String>

    init(schema: ConfigurationSchema) {
        self.schema = schema
        tree = schema.defaults
        secretPaths = Set(schema.keys.filter(\.isSecret).map(\.path))
    }

    /// Lays a document over what is there. Keys that begin with `#` are comments (lal's idiom); null is "not set".
    mutating func apply(_ document: JSONValue) {
        guard document.object != nil else {
            problems.append(.error("the file", "expected an object { … }, found \(document.kind)"))
            return
        }
        tree = merged(tree, with: document, path: "")
    }

    /// Lays `GBGATE_…` variables over what is there.
    mutating func apply(environment: [String: String], prefix: String, except reserved: Set<String> = []) {
        let known = Dictionary(schema.keys.map { ($0.environmentName, $0) }) { first, _ in first }
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(prefix) && !reserved.contains(name) {
            guard let key = known[name] else {
                let hint = schema.nearestEnvironmentName(to: name).map { "; did you mean \($0)?" } ?? ""
                problems.append(.warning(name, "no key of the configuration has this name\(hint)"))
                continue
            }
            guard schema.elements[key.path] == nil else {
                problems.append(.error(name, "a list of objects cannot be set here; set \(key.path) in the file"))
                continue
            }
            guard let value = Self.value(text, like: key.defaultValue) else {
                let shown = key.isSecret ? "a value" : "\"\(text)\""
                problems.append(.error(name, "expected \(key.defaultValue.kind), found \(shown)"))
                continue
            }
            tree = Self.replaced(tree, at: key.path.split(separator: ".").map(String.init)[...], by: value)
        }
    }

    private mutating func merged(_ base: JSONValue, with value: JSONValue, path: String) -> JSONValue {
        switch (base, value) {
        case (_, .null):
            return base
        case (.object(var object), .object(let overlay)):
            for member in overlay.members where !member.name.hasPrefix("#") {
                let below = path.isEmpty ? member.name : "\(path).\(member.name)"
                if let known = object[member.name] {
                    object[member.name] = merged(known, with: member.value, path: below)
                } else {
                    let hint = schema.nearest(to: below).map { "; did you mean \($0)?" } ?? ""
                    problems.append(.warning(below, "unknown key, ignored\(hint)"))
                }
            }
            return .object(object)
        case (.array, .array(let values)) where schema.elements[path] != nil:
            let element = schema.elements[path] ?? .null
            return .array(values.enumerated().map { merged(element, with: $1, path: "\(path)[\($0)]") })
        case (.array, .array(let values)):
            for (index, element) in values.enumerated() where element.string == nil {
                problems.append(.error("\(path)[\(index)]", "expected a string, found \(shown(element, path))"))
            }
            return value
        case (.integer, .integer), (.bool, .bool), (.string, .string):
            return value
        case (.integer, .number(let number)):
            if let whole = Int64(exactly: number) { return .integer(whole) }
        default:
            break
        }
        problems.append(.error(path, "expected \(base.kind), found \(shown(value, path))"))
        return base
    }

    private func shown(_ value: JSONValue, _ path: String) -> String {
        switch value {
        case .object, .array: value.kind
        default: secretPaths.contains(path) ? value.kind : "\(value.kind): \(value.text)"
        }
    }

    private static func value(_ text: String, like base: JSONValue) -> JSONValue? {
        switch base {
        case .string: .string(text)
        case .integer: Int64(text).map(JSONValue.integer)
        case .bool:
            switch text.lowercased() {
            case "true", "1": .bool(true)
            case "false", "0": .bool(false)
            default: nil
            }
        case .array: .array(text.split(separator: ",").map { .string(String($0)) })
        default: nil
        }
    }

    private static func replaced(_ tree: JSONValue, at path: ArraySlice<String>, by value: JSONValue) -> JSONValue {
        guard let name = path.first, var object = tree.object, let below = object[name] else { return value }
        object[name] = replaced(below, at: path.dropFirst(), by: value)
        return .object(object)
    }
}
