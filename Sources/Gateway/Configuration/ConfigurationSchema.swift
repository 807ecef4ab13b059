/// What keys a configuration type has, told by its defaults: names, kinds of value, and which are secret.
package struct ConfigurationSchema: Sendable {
    /// One value that may be set.
    package struct Key: Hashable, Sendable {
        /// `rtmp.addr`
        package let path: String
        /// `GBGATE_RTMP_ADDR`
        package let environmentName: String
        package let defaultValue: JSONValue
        package let isSecret: Bool
    }

    let defaults: JSONValue
    package let keys: [Key]
    /// Lists of objects, by their path: what an element has, with its defaults. Other lists are of strings.
    let elements: [String: JSONValue]

    package init(defaults: some Encodable, prefix: String = "", elements: [String: JSONValue] = [:]) throws {
        self.elements = elements
        var encoder = JSONTreeEncoder(keys: .snakeCase)
        let tree = try encoder.encode(defaults)
        self.defaults = tree
        var keys: [Key] = []
        Self.collect(tree, path: "", prefix: prefix, secrets: encoder.secretPaths, into: &keys)
        self.keys = keys
    }

    /// The schema of the gateway's own configuration.
    package static func gateway() throws -> ConfigurationSchema {
        var encoder = JSONTreeEncoder(keys: .snakeCase)
        let elements = [
            "relay.pulls": try encoder.encode(RelayPullRule()),
            "relay.pushes": try encoder.encode(RelayPushRule()),
        ]
        return try ConfigurationSchema(defaults: GatewayConfiguration(), prefix: "GBGATE_", elements: elements)
    }

    private static func collect(
        _ value: JSONValue,
        path: String,
        prefix: String,
        secrets: Set<String>,
        into keys: inout [Key]
    ) {
        guard let object = value.object else {
            let name = prefix + path.map { $0 == "." ? "_" : String($0).uppercased() }.joined()
            let key = Key(
                path: path,
                environmentName: name,
                defaultValue: value,
                isSecret: secrets.contains(path)
            )
            keys.append(key)
            return
        }
        for member in object.members {
            let below = path.isEmpty ? member.name : "\(path).\(member.name)"
            collect(member.value, path: below, prefix: prefix, secrets: secrets, into: &keys)
        }
    }
}

extension ConfigurationSchema {
    /// The known key that a mistyped one was probably meant to be: in the same section first, then anywhere.
    func nearest(to path: String) -> String? {
        let section = path.split(separator: ".").dropLast().joined(separator: ".")
        let name = path.split(separator: ".").last.map(String.init) ?? path
        var best: (distance: Int, path: String)?
        for known in keys.map(\.path) + sections {
            let parts = known.split(separator: ".")
            let sameSection = parts.dropLast().joined(separator: ".") == section
            let last = parts.last.map(String.init) ?? known
            let distance = editDistance(name, last) * 2 + (sameSection ? 0 : 1)
            if distance < best?.distance ?? .max { best = (distance, known) }
        }
        guard let best, best.distance <= max(4, name.count) else { return nil }
        return best.path
    }

    /// The variable that a mistyped one was probably meant to be.
    func nearestEnvironmentName(to name: String) -> String? {
        let near = keys.map { (name: $0.environmentName, distance: editDistance(name, $0.environmentName)) }
            .min { $0.distance < $1.distance }
        return near.flatMap { $0.distance <= 4 ? $0.name : nil }
    }

    private var sections: [String] {
        var seen: Set<String> = []
        return keys.compactMap { key in
            let parts = key.path.split(separator: ".")
            guard parts.count > 1, seen.insert(String(parts[0])).inserted else { return nil }
            return String(parts[0])
        }
    }
}

/// Levenshtein's distance, with a swap of neighbours counted as two.
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right.lowercased().utf8)
    var row = Array(0...right.count)
    for (i, a) in left.lowercased().utf8.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let substitution = diagonal + (a == b ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
        }
    }
    return row[right.count]
}
