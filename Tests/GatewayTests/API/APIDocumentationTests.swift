import FoundationEssentials
import Gateway
import GatewayAPI
import Testing

/// The project's folder, found from this file.
let projectRoot = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")

/// One `curl` of docs/api/README.md and the answer below it.
struct DocumentedCall: Sendable, CustomTestStringConvertible {
    var request: APIRequest
    var answer: String

    var testDescription: String { request.path }

    static func all() throws -> [DocumentedCall] {
        let text = try String(contentsOfFile: "\(projectRoot)/docs/api/README.md", encoding: .utf8)
        let blocks = text.components(fence: "```")
        return zip(blocks, blocks.dropFirst()).compactMap { first, second in
            guard first.hasPrefix("sh\ncurl "), second.hasPrefix("json\n") else { return nil }
            return DocumentedCall(request: parse(first), answer: packed(second.dropFirst(5)))
        }
    }

    private static func parse(_ curl: String) -> APIRequest {
        let quoted = curl.split(separator: "'", omittingEmptySubsequences: false)
        let target = quoted[1].replacing("http://127.0.0.1:8083", with: "").split(separator: "?")
        let query = target.count < 2 ? [] : target[1].split(separator: "&").map { $0.split(separator: "=") }
        return APIRequest(
            method: quoted.count > 3 ? "POST" : "GET",
            path: String(target[0]),
            query: query.map { (String($0[0]), String($0[1])) },
            body: quoted.count > 3 ? Array(quoted[3].utf8) : []
        )
    }

    /// JSON without the white space between its tokens.
    private static func packed(_ json: some StringProtocol) -> String {
        var text = ""
        var inString = false
        var escaped = false
        for character in json {
            if inString || !character.isWhitespace { text.append(character) }
            if inString {
                inString = escaped || character != "\""
                escaped = !escaped && character == "\\"
            } else {
                inString = character == "\""
            }
        }
        return text
    }
}

extension String {
    /// The contents of fenced blocks, in order.
    fileprivate func components(fence: String) -> [String] {
        var blocks: [String] = []
        var current: String?
        for line in split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix(fence) {
                if let block = current {
                    blocks.append(block)
                    current = nil
                } else {
                    current = line.dropFirst(fence.count) + "\n"
                }
            } else {
                current?.append(line + "\n")
            }
        }
        return blocks
    }
}

@Suite struct APIDocumentationTests {
    @Test func everyDocumentedCallAnswersAsDocumented() async throws {
        let calls = try DocumentedCall.all()
        for call in calls {
            let answer = await APIFixture().refusalOrAnswer(call.request).json.text
            #expect(answer == call.answer, "\(call.request.path) answers \(answer)")
        }
        let documented = Set(calls.map(\.request.path))
        #expect(
            documented.isSuperset(of: APIAnswerer.paths),
            "not documented: \(Set(APIAnswerer.paths).subtracting(documented))"
        )
    }

    @Test func openAPIListsEveryPathAndEveryMember() async throws {
        let yaml = try String(contentsOfFile: "\(projectRoot)/docs/api/openapi.yaml", encoding: .utf8)
        let lines = yaml.split(separator: "\n")
        let paths = lines.filter { $0.hasPrefix("  /") }.map { $0.trimmingSuffix(":").dropFirst(2) }.map(String.init)
        #expect(paths.sorted() == APIAnswerer.paths)
        let names = Set(lines.map { $0.split(separator: ":").first.map { $0.filter { $0 != " " } } ?? "" })
        for call in try DocumentedCall.all() {
            let answer = try JSONValue(parsing: Array(call.answer.utf8))
            for member in answer.memberNames {
                #expect(names.contains(member), "openapi.yaml does not know \(member)")
            }
        }
    }
}

extension APIFixture {
    /// What a client reads as JSON: of downloads their refusals.
    fileprivate func refusalOrAnswer(_ request: APIRequest) async -> APIResponse {
        if case .refused(let refusal)? = await answerer.download(request) { return refusal }
        return await answerer.answer(request)
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ suffix: String) -> Substring {
        hasSuffix(suffix) ? dropLast(suffix.count) : self
    }
}

extension JSONValue {
    /// The names of all members, at every depth.
    fileprivate var memberNames: Set<String> {
        switch self {
        case .object(let object):
            object.members.reduce(into: []) { names, member in
                names.insert(member.name)
                names.formUnion(member.value.memberNames)
            }
        case .array(let values): values.reduce(into: []) { $0.formUnion($1.memberNames) }
        default: []
        }
    }
}
