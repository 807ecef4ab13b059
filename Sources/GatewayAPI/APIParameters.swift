internal import Gateway

/// A call's parameters with lal's rules: a required key must be present with its exact name and the right JSON type;
/// an empty string passes.
struct APIParameters {
    private let object: JSONObject

    /// Of a call that lal reads from the query.
    init(query request: APIRequest) {
        object = JSONObject(request.query.map { JSONObject.Member(name: $0.name, value: .string($0.value)) })
    }

    /// Of a call that lal reads from the JSON body, whatever its Content-Type.
    init(body request: APIRequest) throws {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: request.body)
        } catch {
            throw ControlError.paramMissing(
                request.body.isEmpty ? "the body is empty, expected a JSON object" : "the body is no JSON: \(error)"
            )
        }
        guard let object = value.object else {
            throw ControlError.paramMissing("the body is \(value.kind), expected a JSON object")
        }
        self.object = object
    }

    func string(_ name: String) throws -> String? {
        guard let value = object[name], value != .null else { return nil }
        guard let text = value.string else { throw wrong(name, value, "a string") }
        return text
    }

    func requiredString(_ name: String) throws -> String {
        guard let text = try string(name) else { throw missing(name) }
        return text
    }

    func integer(_ name: String, default fallback: Int) throws -> Int {
        guard let value = object[name], value != .null else { return fallback }
        guard let integer = value.integer else { throw wrong(name, value, "an integer") }
        return integer
    }

    func requiredInteger(_ name: String) throws -> Int {
        guard object[name] != nil else { throw missing(name) }
        return try integer(name, default: 0)
    }

    /// A time: not longer than a year, so that it can be counted in nanoseconds.
    func milliseconds(_ name: String, default fallback: Int) throws -> Int {
        min(try integer(name, default: fallback), 31_536_000_000)
    }

    func requiredBool(_ name: String) throws -> Bool {
        guard let value = object[name] else { throw missing(name) }
        guard let bool = value.bool else { throw wrong(name, value, "true or false") }
        return bool
    }

    /// A stream's name: no control character and no step up a folder, because names become file names and log lines.
    func streamName(_ name: String = "stream_name") throws -> String? {
        guard let text = try string(name) else { return nil }
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard isPlain, text.utf8.count <= 255, !text.split(separator: "/").contains("..") else {
            throw ControlError.paramMissing("\(name) must be at most 255 bytes, without control characters and \"..\"")
        }
        return text
    }

    func requiredStreamName(_ name: String = "stream_name") throws -> String {
        guard let text = try streamName(name) else { throw missing(name) }
        return text
    }

    /// An SSRC as ten digits of text, as SDP's y= has it, or as a number.
    func ssrc(_ name: String = "ssrc") throws -> UInt32? {
        guard let value = object[name], value != .null, value.string != "" else { return nil }
        let number = value.string.flatMap { UInt32($0) } ?? value.integer.flatMap { UInt32(exactly: $0) }
        guard let number else { throw wrong(name, value, "a number from 0 to 4294967295") }
        return number
    }

    /// A device's or channel's ID: 20 digits by the standard, but some devices have others.
    func deviceID(_ name: String) throws -> String {
        let text = try requiredString(name)
        let isID = (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isID else {
            throw ControlError.paramMissing("\(name) must be an ID of 20 digits")
        }
        return text
    }

    private func missing(_ name: String) -> ControlError {
        .paramMissing("\(name) is missing")
    }

    private func wrong(_ name: String, _ value: JSONValue, _ expected: String) -> ControlError {
        .paramMissing("\(name) is \(value.kind), expected \(expected)")
    }
}
