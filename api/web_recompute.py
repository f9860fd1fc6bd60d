"""The page on which every number of a case's package is computed again, beside what was decided."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import SignedInPerson, wiring_of
from api.pages import render
from api.wiring import Recomputed, Wiring
from domain.casework import CaseFile
from domain.errors import ConfigurationError, EvidenceBroken, NotFound
from domain.ids import CaseId
from store.cases import PostgresCaseBook

router = APIRouter(include_in_schema=False)


@router.get("/cases/{case_id}/recomputed")
async def recomputed_item(request: Request, case_id: CaseId, person: SignedInPerson) -> Response:
    """Compute a case's package again, from the messages as received; takes a second, and changes nothing."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn:
        case = await PostgresCaseBook(conn).case(case_id)
    found, problem = None, None
    try:
        found = await wiring.computing.run(_recompute, wiring, case)
    except (ConfigurationError, EvidenceBroken) as error:
        problem = str(error)
    return render(request, "recomputed.html", person=person, case=case, found=found, problem=problem)


def _recompute(wiring: Wiring, case: CaseFile) -> Recomputed:
    root = wiring.evidence_root.resolve()
    folder = (root / case.package_folder).resolve()
    if folder.parent != root or not folder.is_dir():
        raise NotFound(f"the package {case.package_folder} is not there")
    return wiring.recompute(folder)
