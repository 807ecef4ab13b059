package import Gateway
package import Logging

/// Answers API requests: authorisation, routing, and lal's envelope around what the gateway says.
package struct APIAnswerer: Sendable {
    private let control: any GatewayControl
    private let token: Secret
    private let logger: Logger

    package init(control: any GatewayControl, token: Secret, logger: Logger) {
        self.control = control
        self.token = token
        self.logger = logger
    }

    /// Every path that answers.
    package static var paths: [String] { APIDownload.paths.union(APIRoute.all.keys).sorted() }

    /// What is served as it is, for its paths; a refusal is an answer as all others.
    package enum Download: Sendable {
        case found(ControlDownload)
        case refused(APIResponse)
    }

    /// - Returns: nil when the request asks for something else.
    package func download(_ request: APIRequest) async -> Download? {
        guard APIDownload.serves(request.path), !request.isPreflight, isAuthorized(request) else { return nil }
        do {
            return .found(try await APIDownload.find(request, control))
        } catch let error as ControlError {
            return .refused(.failure(error, data: nil, status: 404))
        } catch {
            logger.error("api call failed", metadata: ["path": "\(request.path)", "error": "\(error)"])
            let failure = ControlError(.internalError, "internal error", hint: "the gateway's log says more")
            return .refused(.failure(failure, data: nil, status: 500))
        }
    }

    package func answer(_ request: APIRequest) async -> APIResponse {
        if request.isPreflight { return .success(nil) }
        guard isAuthorized(request) else {
            let error = ControlError(
                .unauthorized,
                "unauthorized",
                hint: "send http_api.token as \"Authorization: Bearer <token>\" or as ?token=<token>"
            )
            return .failure(error, data: nil, status: 401)
        }
        guard let route = APIRoute.all[request.path] else {
            return .failure(.pageNotFound, data: nil)
        }
        do {
            return .success(try await route.call(request, control))
        } catch let error as ControlError {
            return .failure(error, data: route.emptyData)
        } catch {
            logger.error("api call failed", metadata: ["path": "\(request.path)", "error": "\(error)"])
            let failure = ControlError(.internalError, "internal error", hint: "the gateway's log says more")
            return .failure(failure, data: route.emptyData, status: 500)
        }
    }

    private func isAuthorized(_ request: APIRequest) -> Bool {
        if token.isEmpty { return true }
        if let header = request.authorization {
            let parts = header.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer", token.matches(parts[1]) { return true }
        }
        return request.value("token").map { token.matches($0) } ?? false
    }
}
