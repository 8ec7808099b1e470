"""The calls of the care pages to crm, typed: campaigns, surveys, winning back; each on behalf of the reader."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeVar

from google.protobuf.message import Message
from kefu.crm.v1 import campaign_service_pb2 as campaign_api
from kefu.crm.v1 import survey_service_pb2 as survey_api
from kefu.crm.v1 import win_back_service_pb2 as win_back_api

from services.gateway.console.backend import new_id
from services.gateway.console.gate import Gate

Reply = TypeVar("Reply", bound=Message)
_CRM: Final = "kefu.crm.v1"
RECENT: Final = 50
CASES: Final = 500


class Care:
    """Calls for one site. Campaigns, surveys and cases are named by the id alone."""

    def __init__(self, gate: Gate, site: str) -> None:
        self._gate = gate
        self.parent = f"sites/{site}"

    def _call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        return self._gate.call(f"{_CRM}.{method}", request, reply)

    def campaigns(self, page: str) -> campaign_api.ListCampaignsResponse:
        """A page of campaigns, newest first."""
        request = campaign_api.ListCampaignsRequest(parent=self.parent, page_size=RECENT, page_token=page)
        return self._call("CampaignService/ListCampaigns", request, campaign_api.ListCampaignsResponse)

    def campaign(self, campaign: str) -> campaign_api.Campaign:
        """One campaign."""
        request = campaign_api.GetCampaignRequest(name=self._campaign(campaign))
        return self._call("CampaignService/GetCampaign", request, campaign_api.Campaign)

    def draft(self, campaign: campaign_api.Campaign) -> str:
        """Drafts a campaign; returns its id."""
        request = campaign_api.CreateCampaignRequest(parent=self.parent, campaign=campaign, request_id=new_id())
        made = self._call("CampaignService/CreateCampaign", request, campaign_api.Campaign)
        return made.name.rpartition("/")[2]

    def preview(self, campaign: str) -> campaign_api.CampaignPreview:
        """Who would get what now."""
        request = campaign_api.PreviewCampaignRequest(name=self._campaign(campaign))
        return self._call("CampaignService/PreviewCampaign", request, campaign_api.CampaignPreview)

    def result(self, campaign: str) -> campaign_api.CampaignResult:
        """What it did."""
        request = campaign_api.GetCampaignResultRequest(name=self._campaign(campaign))
        return self._call("CampaignService/GetCampaignResult", request, campaign_api.CampaignResult)

    def approve(self, campaign: str) -> None:
        """Approves a draft."""
        request = campaign_api.ApproveCampaignRequest(name=self._campaign(campaign), request_id=new_id())
        self._call("CampaignService/ApproveCampaign", request, campaign_api.Campaign)

    def schedule(self, campaign: str, at: datetime | None) -> None:
        """Lets an approved one begin, at once or at an instant."""
        request = campaign_api.ScheduleCampaignRequest(name=self._campaign(campaign), request_id=new_id())
        if at is not None:
            request.start_time.FromDatetime(at)
        self._call("CampaignService/ScheduleCampaign", request, campaign_api.Campaign)

    def cancel(self, campaign: str, reason: str) -> None:
        """Ends it before its time."""
        request = campaign_api.CancelCampaignRequest(name=self._campaign(campaign), reason=reason, request_id=new_id())
        self._call("CampaignService/CancelCampaign", request, campaign_api.Campaign)

    def draft_survey(self, survey: survey_api.Survey) -> str:
        """Drafts a survey with its campaign; returns the id of both."""
        request = survey_api.CreateSurveyRequest(parent=self.parent, survey=survey, request_id=new_id())
        return self._call("SurveyService/CreateSurvey", request, survey_api.Survey).name.rpartition("/")[2]

    def survey(self, survey: str) -> survey_api.Survey:
        """One survey."""
        request = survey_api.GetSurveyRequest(name=self._survey(survey))
        return self._call("SurveyService/GetSurvey", request, survey_api.Survey)

    def survey_report(self, survey: str) -> survey_api.SurveyReport:
        """What came of it."""
        request = survey_api.GetSurveyReportRequest(name=self._survey(survey))
        return self._call("SurveyService/GetSurveyReport", request, survey_api.SurveyReport)

    def answers(self, survey: str) -> survey_api.ListSurveyAnswersResponse:
        """The latest answers."""
        request = survey_api.ListSurveyAnswersRequest(parent=self._survey(survey), page_size=RECENT)
        return self._call("SurveyService/ListSurveyAnswers", request, survey_api.ListSurveyAnswersResponse)

    def win_backs(self) -> win_back_api.ListWinBacksResponse:
        """Cases, oldest first."""
        request = win_back_api.ListWinBacksRequest(parent=self.parent, page_size=CASES)
        return self._call("WinBackService/ListWinBacks", request, win_back_api.ListWinBacksResponse)

    def win_back_report(self) -> win_back_api.WinBackReport:
        """A year of cases."""
        request = win_back_api.GetWinBackReportRequest(parent=self.parent)
        return self._call("WinBackService/GetWinBackReport", request, win_back_api.WinBackReport)

    def plan(self, case: str, *, cause: str, reward_points: int, coupon_fen: int) -> None:
        """Says why a customer was lost and what they are offered."""
        request = win_back_api.PlanWinBackRequest(
            name=self._case(case),
            cause=win_back_api.WinBack.Cause.Value(f"CAUSE_{cause}"),
            reward_points=reward_points,
            coupon_fen=coupon_fen,
            request_id=new_id(),
        )
        self._call("WinBackService/PlanWinBack", request, win_back_api.WinBack)

    def note(self, case: str, note: str, *, answered: bool) -> None:
        """Notes a contact, or what the customer said."""
        if answered:
            said = win_back_api.RespondWinBackRequest(name=self._case(case), note=note, request_id=new_id())
            self._call("WinBackService/RespondWinBack", said, win_back_api.WinBack)
        else:
            asked = win_back_api.ContactWinBackRequest(name=self._case(case), note=note, request_id=new_id())
            self._call("WinBackService/ContactWinBack", asked, win_back_api.WinBack)

    def _campaign(self, campaign: str) -> str:
        return f"{self.parent}/campaigns/{campaign}"

    def _survey(self, survey: str) -> str:
        return f"{self.parent}/surveys/{survey}"

    def _case(self, case: str) -> str:
        return f"{self.parent}/winBacks/{case}"
