/// Encodes any `Encodable` into a ``JSONValue`` whose members stand in the order in which the type encodes them.
///
/// Foundation's encoder forgets that order, and lal's answers have one. It also notes where the secrets of a
/// configuration stand.
package struct JSONTreeEncoder {
    /// Paths (`gb28181.password`) of the ``Secret`` values met so far.
    package private(set) var secretPaths: Set<String> = []

    /// How a coding key becomes a member's name.
    package enum Keys: Sendable {
        case asWritten
        /// `urlPattern` becomes `url_pattern`.
        case snakeCase

        func name(_ key: String) -> String {
            guard self == .snakeCase else { return key }
            var name = ""
            for character in key {
                if character.isUppercase { name += "_" }
                name += character.lowercased()
            }
            return name
        }
    }

    private let keys: Keys

    package init(keys: Keys = .asWritten) {
        self.keys = keys
    }

    package mutating func encode(_ value: some Encodable) throws -> JSONValue {
        let node = Node()
        let run = Run(keys: keys)
        try TreeEncoder.encode(value, into: node, codingPath: [], run: run)
        secretPaths.formUnion(run.secretPaths)
        return node.value
    }

    /// Encodes a value that cannot fail to encode, as all of the API's answers.
    package static func tree(_ value: some Encodable) -> JSONValue {
        var encoder = JSONTreeEncoder()
        return (try? encoder.encode(value)) ?? .null
    }
}

/// What one encoding shares over all its containers.
private final class Run {
    let keys: JSONTreeEncoder.Keys
    var secretPaths: Set<String> = []

    init(keys: JSONTreeEncoder.Keys) {
        self.keys = keys
    }

    func noteSecret(at codingPath: [any CodingKey]) {
        secretPaths.insert(codingPath.map { keys.name($0.stringValue) }.joined(separator: "."))
    }
}

/// A place in the tree that is still being filled.
private final class Node {
    enum Content {
        case value(JSONValue)
        case object([(name: String, node: Node)])
        case array([Node])
    }

    var content: Content = .value(.null)

    var value: JSONValue {
        switch content {
        case .value(let value): value
        case .object(let members):
            .object(JSONObject(members.map { JSONObject.Member(name: $0.name, value: $0.node.value) }))
        case .array(let nodes): .array(nodes.map(\.value))
        }
    }

    func member(_ name: String) -> Node {
        var members: [(name: String, node: Node)] = []
        if case .object(let existing) = content { members = existing }
        if let existing = members.first(where: { $0.name == name }) { return existing.node }
        let node = Node()
        members.append((name, node))
        content = .object(members)
        return node
    }

    func element() -> Node {
        var nodes: [Node] = []
        if case .array(let existing) = content { nodes = existing }
        let node = Node()
        nodes.append(node)
        content = .array(nodes)
        return node
    }
}

private struct TreeEncoder: Encoder {
    let node: Node
    let codingPath: [any CodingKey]
    let run: Run
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    static func encode(
        _ value: some Encodable,
        into node: Node,
        codingPath: [any CodingKey],
        run: Run
    ) throws {
        if value is Secret {
            run.noteSecret(at: codingPath)
        }
        try value.encode(to: TreeEncoder(node: node, codingPath: codingPath, run: run))
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .value = node.content { node.content = .object([]) }
        return KeyedEncodingContainer(KeyedTree(node: node, codingPath: codingPath, run: run))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .value = node.content { node.content = .array([]) }
        return UnkeyedTree(node: node, codingPath: codingPath, run: run)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleTree(node: node, codingPath: codingPath, run: run)
    }
}

private struct KeyedTree<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: Node
    let codingPath: [any CodingKey]
    let run: Run

    private func single(_ key: Key) -> SingleTree {
        SingleTree(node: node.member(run.keys.name(key.stringValue)), codingPath: codingPath + [key], run: run)
    }

    mutating func encodeNil(forKey key: Key) { single(key).encodeNil() }
    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try single(key).encode(value) }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        TreeEncoder(node: node.member(run.keys.name(key.stringValue)), codingPath: codingPath + [key], run: run)
            .container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        TreeEncoder(node: node.member(run.keys.name(key.stringValue)), codingPath: codingPath + [key], run: run)
            .unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        TreeEncoder(node: node.member("super"), codingPath: codingPath, run: run)
    }

    mutating func superEncoder(forKey key: Key) -> any Encoder {
        TreeEncoder(node: node.member(run.keys.name(key.stringValue)), codingPath: codingPath + [key], run: run)
    }
}

private struct UnkeyedTree: UnkeyedEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]
    let run: Run
    private(set) var count = 0

    private mutating func next() -> Node {
        count += 1
        return node.element()
    }

    mutating func encodeNil() { next().content = .value(.null) }
    mutating func encode<T: Encodable>(_ value: T) throws {
        try SingleTree(node: next(), codingPath: codingPath, run: run).encode(value)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        TreeEncoder(node: next(), codingPath: codingPath, run: run).container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        TreeEncoder(node: next(), codingPath: codingPath, run: run).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        TreeEncoder(node: next(), codingPath: codingPath, run: run)
    }

    init(node: Node, codingPath: [any CodingKey], run: Run) {
        self.node = node
        self.codingPath = codingPath
        self.run = run
    }
}

private struct SingleTree: SingleValueEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]
    let run: Run

    func encodeNil() { node.content = .value(.null) }
    func encode(_ value: Bool) { node.content = .value(.bool(value)) }
    func encode(_ value: String) { node.content = .value(.string(value)) }
    func encode(_ value: Double) { node.content = .value(.number(value)) }
    func encode(_ value: Float) { node.content = .value(.number(Double(value))) }
    func encode(_ value: Int) { integer(value) }
    func encode(_ value: Int8) { integer(value) }
    func encode(_ value: Int16) { integer(value) }
    func encode(_ value: Int32) { integer(value) }
    func encode(_ value: Int64) { integer(value) }
    func encode(_ value: UInt) { integer(value) }
    func encode(_ value: UInt8) { integer(value) }
    func encode(_ value: UInt16) { integer(value) }
    func encode(_ value: UInt32) { integer(value) }
    func encode(_ value: UInt64) { integer(value) }

    private func integer(_ value: some BinaryInteger) {
        node.content = .value(.integer(Int64(clamping: value)))
    }

    func encode<T: Encodable>(_ value: T) throws {
        // Scalars arrive here from the keyed container, which has no overload of its own.
        switch value {
        case let value as Bool: encode(value)
        case let value as String: encode(value)
        case let value as Double: encode(value)
        case let value as Float: encode(value)
        case let value as any BinaryInteger: integer(value)
        default: try TreeEncoder.encode(value, into: node, codingPath: codingPath, run: run)
        }
    }
}
