package import Gateway

/// A request of the HTTP API, free of the HTTP library, so that a test asks as a client does.
package struct APIRequest: Sendable {
    package var method: String
    /// Without the query.
    package var path: String
    /// Decoded, in the order of the query.
    package var query: [(name: String, value: String)]
    /// The `Authorization` header.
    package var authorization: String?
    /// A browser asks whether it may ask (`OPTIONS` with `Access-Control-Request-Method`).
    package var isPreflight: Bool
    package var body: [UInt8]

    package init(
        method: String = "GET",
        path: String,
        query: [(name: String, value: String)] = [],
        authorization: String? = nil,
        isPreflight: Bool = false,
        body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.authorization = authorization
        self.isPreflight = isPreflight
        self.body = body
    }

    func value(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }
}

/// An answer: JSON in lal's envelope. The HTTP status is 200 for every outcome of the API itself.
package struct APIResponse: Sendable, Hashable {
    package var status: Int
    package var json: JSONValue

    /// `{"error_code":0,"desp":"succ","data":…}`; calls without data leave the member out.
    static func success(_ data: JSONValue?) -> APIResponse {
        envelope(status: 200, code: 0, desp: "succ", data: data)
    }

    /// A refusal; `data` keeps the call's shape with empty values.
    static func failure(_ error: ControlError, data: JSONValue?, status: Int = 200) -> APIResponse {
        envelope(status: status, code: error.code.rawValue, desp: error.desp, data: data, hint: error.hint)
    }

    private static func envelope(
        status: Int,
        code: Int,
        desp: String,
        data: JSONValue?,
        hint: String = ""
    ) -> APIResponse {
        var object = JSONObject()
        object["error_code"] = .integer(Int64(code))
        object["desp"] = .string(desp)
        object["data"] = data
        if !hint.isEmpty { object["hint"] = .string(hint) }
        return APIResponse(status: status, json: .object(object))
    }
}
